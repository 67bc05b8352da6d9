//! Lines of text out of bytes in whatever encoding, numbered as an editor numbers them.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Cursor, Read},
};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How much of a file is looked at before it is read, in bytes.
const HEAD: u64 = 256 * 1024;

/// How much is read ahead, in bytes.
const MOST_AHEAD: usize = 8 << 20;

/// How many lines that are done with are kept to be used again, and how large.
const MOST_SPARE: usize = 80;
const LARGEST_SPARE: usize = 64 * 1024;

/// A line without its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// Its text; a byte that does not fit the encoding is replaced.
    pub(crate) text: String,
    /// Whether its end is there. Of a last line without one nobody knows whether it is whole.
    pub(crate) ended: bool,
    /// Whether it is longer than [`Lines::longest`]: then the text is its beginning.
    pub(crate) too_long: bool,
}

/// In which encoding a text is, where no mark at its beginning says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Encodings {
    /// UTF-8, or UTF-16 if it looks like it; lines that are not UTF-8 are of the likeliest code
    /// page of the beginning.
    Found,
    /// This one.
    Said(&'static Encoding),
    /// UTF-8, and lines that are not are in this one.
    Beside(&'static Encoding),
}

/// Reads lines one by one.
pub(crate) struct Lines {
    input: BufReader<Box<dyn Read + Send>>,
    /// LF (also behind a CR), or CR in a file that has no LF. In a file with LFs a CR alone is
    /// text: what is in a cell ends no line.
    end: u8,
    longest: usize,
    number: u64,
    code: Code,
    /// Read ahead, or put back.
    ahead: VecDeque<Line>,
    spare: Vec<Line>,
}

/// How the bytes of a line become text.
struct Code {
    /// A line in UTF-8 is taken as such.
    utf8_first: bool,
    /// That of other lines.
    encoding: &'static Encoding,
    /// Whether that is certain; else the first line that is not UTF-8 decides.
    decided: bool,
    /// The likeliest code page of the beginning, if that is not UTF-8.
    likely: Option<&'static Encoding>,
}

impl Lines {
    /// `longest` says how long a line may be, in bytes, given the beginning of the file.
    pub(crate) fn new(
        mut input: Box<dyn Read + Send>,
        encodings: Encodings,
        longest: impl FnOnce(&[u8]) -> usize,
    ) -> io::Result<Self> {
        let mut head = head_of(&mut input)?;
        let marked = Encoding::for_bom(&head);
        let head_start = marked.map_or(0, |(_, length)| length);
        let mut code = Code::new(marked.map(|(encoding, _)| encoding), encodings, &head);
        head.drain(..head_start);
        if [UTF_16LE, UTF_16BE, ISO_2022_JP].contains(&code.encoding) {
            // Their line ends are not single bytes; everything else is decoded line by line.
            let decoder = code.encoding.new_decoder_without_bom_handling();
            input = Box::new(Decoding {
                input: Box::new(Cursor::new(head).chain(input)),
                decoder,
                ready: Vec::new(),
                at: 0,
                done: false,
            });
            head = head_of(&mut input)?;
            code = Code { utf8_first: true, encoding: UTF_8, decided: true, likely: None };
        }
        let end = if head.contains(&b'\n') || !head.contains(&b'\r') { b'\n' } else { b'\r' };
        if !code.decided {
            // A character that the sample ends within is no mistake.
            let is_utf8 =
                std::str::from_utf8(&head).map_or_else(|e| e.error_len().is_none(), |_| true);
            code.likely = (!is_utf8).then(|| code_page(&head));
        }
        let longest = longest(&head);
        Ok(Self {
            input: BufReader::with_capacity(64 * 1024, Box::new(Cursor::new(head).chain(input))),
            end,
            longest,
            number: 0,
            code,
            ahead: VecDeque::new(),
            spare: Vec::new(),
        })
    }

    /// The longest line that is read, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The encoding that was said or found so far.
    pub(crate) fn encoding(&self) -> &'static str {
        self.code.encoding.name()
    }

    /// The next line; `None` at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        match self.ahead.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.read(),
        }
    }

    /// The next lines, which stay: at most so many, and not many more bytes than [`MOST_AHEAD`].
    pub(crate) fn peek(&mut self, count: usize) -> io::Result<&VecDeque<Line>> {
        self.peek_within(count, MOST_AHEAD)
    }

    /// The same, and not many more bytes than `most`.
    pub(crate) fn peek_within(&mut self, count: usize, most: usize) -> io::Result<&VecDeque<Line>> {
        let mut bytes: usize = self.ahead.iter().map(|line| line.text.len()).sum();
        while self.ahead.len() < count && bytes < most {
            let Some(line) = self.read()? else { break };
            bytes += line.text.len();
            self.ahead.push_back(line);
        }
        Ok(&self.ahead)
    }

    /// Puts a line back that was read too far.
    pub(crate) fn put_back(&mut self, line: Line) {
        self.ahead.push_front(line);
    }

    /// Takes a line that is done with, so that the next one needs no new memory.
    pub(crate) fn reuse(&mut self, line: Line) {
        if self.spare.len() < MOST_SPARE && line.text.capacity() <= LARGEST_SPARE {
            self.spare.push(line);
        }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = self.spare.pop().unwrap_or_default().text.into_bytes();
        bytes.clear();
        let most = self.longest.saturating_add(2) as u64;
        let read = (&mut self.input).take(most).read_until(self.end, &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let mut ended = bytes.pop_if(|last| *last == self.end).is_some();
        let mut too_long = false;
        if !ended && read as u64 == most {
            ended = self.skip_line()?;
            too_long = true;
        } else if self.end == b'\n' {
            bytes.pop_if(|last| *last == b'\r');
        }
        if bytes.len() > self.longest {
            too_long = true;
            cut(&mut bytes, self.longest);
        }
        let text = self.code.decode(bytes);
        Ok(Some(Line { number: self.number, text, ended, too_long }))
    }

    /// Reads on to the end of the line; whether there is one.
    fn skip_line(&mut self) -> io::Result<bool> {
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                return Ok(false);
            }
            let found = buffer.iter().position(|byte| *byte == self.end);
            let used = found.map_or(buffer.len(), |at| at + 1);
            self.input.consume(used);
            if found.is_some() {
                return Ok(true);
            }
        }
    }
}

impl Code {
    fn new(marked: Option<&'static Encoding>, encodings: Encodings, head: &[u8]) -> Self {
        let certain = |encoding: &'static Encoding| Self {
            utf8_first: encoding == UTF_8,
            encoding,
            decided: true,
            likely: None,
        };
        // The mark of UTF-8 says nothing of lines that are not.
        let wide = marked.filter(|marked| *marked != UTF_8);
        match (marked, encodings) {
            (_, Encodings::Beside(other)) => {
                Self { utf8_first: true, ..certain(wide.unwrap_or(other)) }
            }
            (Some(marked), _) => certain(marked),
            (None, Encodings::Said(said)) => certain(said),
            (None, Encodings::Found) => match utf16(head) {
                Some(wide) => certain(wide),
                None => Self { decided: false, ..certain(UTF_8) },
            },
        }
    }

    fn decode(&mut self, bytes: Vec<u8>) -> String {
        let bytes = if self.utf8_first {
            match String::from_utf8(bytes) {
                Ok(text) => return text,
                Err(error) => error.into_bytes(),
            }
        } else {
            bytes
        };
        if !self.decided {
            self.encoding = self.likely.unwrap_or_else(|| code_page(&bytes));
            self.decided = true;
        }
        let (decoded, _) = self.encoding.decode_without_bom_handling(&bytes);
        decoded.into_owned()
    }
}

/// Cuts a text, in UTF-8 before a character that would be cut in two.
fn cut(bytes: &mut Vec<u8>, longest: usize) {
    bytes.truncate(longest);
    if let Err(error) = std::str::from_utf8(bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
}

fn head_of(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// The likeliest code page of text that is not UTF-8. Of one byte a character: where a character
/// has two, what a caller calls himself could swallow a separator.
fn code_page(text: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(text, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    if guess.is_single_byte() { guess } else { WINDOWS_1252 }
}

/// UTF-16 without a mark: every other byte of Latin text is zero.
fn utf16(head: &[u8]) -> Option<&'static Encoding> {
    let sample = &head[..head.len().min(1000) & !1];
    if sample.len() < 4 {
        return None;
    }
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let most = sample.len() / 2 * 7 / 10;
    match (zeros(0) > most, zeros(1) > most) {
        (false, true) => Some(UTF_16LE),
        (true, false) => Some(UTF_16BE),
        _ => None,
    }
}

/// Bytes of one encoding as UTF-8.
struct Decoding {
    input: Box<dyn Read + Send>,
    decoder: Decoder,
    ready: Vec<u8>,
    at: usize,
    done: bool,
}

impl Read for Decoding {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() && !self.done {
            self.fill()?;
        }
        let count = buffer.len().min(self.ready.len() - self.at);
        buffer[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

impl Decoding {
    fn fill(&mut self) -> io::Result<()> {
        let mut bytes = [0; 8 * 1024];
        let read = self.input.read(&mut bytes)?;
        self.done = read == 0;
        let mut text = String::with_capacity(4 * bytes.len());
        let (_, _, _) = self.decoder.decode_to_string(&bytes[..read], &mut text, self.done);
        self.ready = text.into_bytes();
        self.at = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<(u64, String, bool)> {
        let input = Box::new(Cursor::new(bytes.to_vec()));
        let mut lines = Lines::new(input, Encodings::Beside(WINDOWS_1252), |_| 100).unwrap();
        let mut read = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            read.push((line.number, line.text, line.ended));
        }
        read
    }

    #[test]
    fn ends_of_lines() {
        let line = |number, text: &str, ended| (number, text.to_owned(), ended);
        let three = vec![line(1, "a", true), line(2, "", true), line(3, "b", false)];
        for text in ["a\n\nb", "a\r\n\r\nb", "a\r\rb"] {
            assert_eq!(lines(text.as_bytes()), three, "{text:?}");
        }
        assert_eq!(lines(b"a\n"), vec![line(1, "a", true)]);
        assert_eq!(lines(b""), vec![]);
        assert_eq!(lines(b"Jos\xe9\n"), vec![line(1, "José", true)]);
        assert_eq!(lines(b"\xef\xbb\xbfa\n"), vec![line(1, "a", true)]);
        assert_eq!(lines(b"\xff\xfea\0\r\0\n\0b\0"), vec![line(1, "a", true), line(2, "b", false)]);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let read = |text: &str| {
            let input = Box::new(Cursor::new(text.as_bytes().to_vec()));
            let mut lines = Lines::new(input, Encodings::Found, |_| 4).unwrap();
            let mut read = Vec::new();
            while let Some(Line { text, ended, too_long, .. }) = lines.next().unwrap() {
                read.push((text, ended, too_long));
                lines.reuse(Line::default());
            }
            read
        };
        let line = |text: &str, ended, too_long| (text.to_owned(), ended, too_long);
        assert_eq!(read("abcd\r\nx\n"), [line("abcd", true, false), line("x", true, false)]);
        for long in ["abcde\n", "abcde\r\n", "abcdefghijk\n"] {
            assert_eq!(
                read(&format!("{long}x")),
                [line("abcd", true, true), line("x", false, false)]
            );
        }
        assert_eq!(read("abcdefgh"), [line("abcd", false, true)]);
        // A character is not cut in two, and what is cut says nothing of the encoding.
        assert_eq!(read("abcé€\né\n"), [line("abc", true, true), line("é", true, false)]);
    }

    #[test]
    fn encodings() {
        let read = |bytes: &[u8], encodings| {
            let input = Box::new(Cursor::new(bytes.to_vec()));
            let mut lines = Lines::new(input, encodings, |_| 100).unwrap();
            let mut read = Vec::new();
            while let Some(line) = lines.next().unwrap() {
                read.push(line.text);
            }
            read
        };
        let cyrillic = encoding_rs::WINDOWS_1251;
        // One that is said is that of all lines, one beside UTF-8 that of the others.
        let mixed = b"\xd0\x9b\n\xcb\n";
        assert_eq!(read(mixed, Encodings::Said(cyrillic)), ["Р›", "Л"]);
        assert_eq!(read(mixed, Encodings::Beside(cyrillic)), ["Л", "Л"]);
        // A mark goes before what is said, and UTF-16 is seen without one.
        assert_eq!(read(b"\xef\xbb\xbf\xc3\xa9\n", Encodings::Said(cyrillic)), ["é"]);
        assert_eq!(read(b"a\0b\0\r\0\n\0c\0d\0\n\0", Encodings::Found), ["ab", "cd"]);
        assert_eq!(read(b"a\0\n\0", Encodings::Beside(UTF_16LE)), ["a"]);
        let japanese = Encodings::Beside(ISO_2022_JP);
        assert_eq!(read(b"\x1b$B%F%9%H\x1b(B\n", japanese), ["テスト"]);
    }
}
