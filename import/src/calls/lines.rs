//! The lines of a file, numbered as an editor numbers them.

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The longest line that is read, in bytes: a record of a call has a few hundred.
const LONGEST: usize = 1 << 20;

/// The same of JSON and XML, which may have all calls on one line.
const LONGEST_OF_TREES: usize = 64 << 20;

/// How much is read ahead, in bytes.
const MOST_AHEAD: usize = 8 << 20;

/// A line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// Its text; a byte that does not fit the encoding is replaced.
    pub(crate) text: String,
    /// Whether its end is there: only the last line may have none.
    pub(crate) ended: bool,
    /// Whether it is longer than [`Lines::longest`]: then the text is its beginning.
    pub(crate) too_long: bool,
}

/// Reads lines one by one.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    encoding: &'static Encoding,
    /// LF (also behind a CR), or CR in a file that has no LF. In a file with LFs a CR alone is
    /// text: what is in a cell ends no line.
    end: u8,
    longest: usize,
    number: u64,
    /// Read ahead, or put back.
    ahead: VecDeque<Line>,
}

impl Lines {
    /// A mark at the beginning says the encoding; else text is UTF-8, and a line that is not is
    /// of the given encoding.
    pub(crate) fn new(
        mut reader: Box<dyn BufRead + Send>,
        encoding: Option<&'static Encoding>,
    ) -> io::Result<Self> {
        let marked = Encoding::for_bom(reader.fill_buf()?);
        if let Some((_, length)) = marked {
            reader.consume(length);
        }
        let wide = [UTF_16LE, UTF_16BE];
        let encoding = match (marked, encoding) {
            (Some((marked, _)), _) if marked != UTF_8 => marked,
            (_, Some(said)) => said,
            _ => WINDOWS_1252,
        };
        if wide.contains(&encoding) {
            // Rare, and from spreadsheets: small enough to be decoded at once.
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes)?;
            let (text, _) = encoding.decode_without_bom_handling(&bytes);
            reader = Box::new(io::Cursor::new(text.into_owned().into_bytes()));
        }
        let start = reader.fill_buf()?;
        let end = if start.contains(&b'\n') || !start.contains(&b'\r') { b'\n' } else { b'\r' };
        let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
        let tree = matches!(first, Some(b'{' | b'[' | b'<'));
        let longest = if tree { LONGEST_OF_TREES } else { LONGEST };
        Ok(Self { reader, encoding, end, longest, number: 0, ahead: VecDeque::new() })
    }

    /// The longest line that is read, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        match self.ahead.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.read(),
        }
    }

    /// The next lines, which stay: at most so many, and not many more bytes than [`MOST_AHEAD`].
    pub(crate) fn peek(&mut self, count: usize) -> io::Result<&VecDeque<Line>> {
        let mut bytes: usize = self.ahead.iter().map(|line| line.text.len()).sum();
        while self.ahead.len() < count && bytes < MOST_AHEAD {
            match self.read()? {
                Some(line) => {
                    bytes += line.text.len();
                    self.ahead.push_back(line);
                }
                None => break,
            }
        }
        Ok(&self.ahead)
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let (mut any, mut ended, mut too_long) = (false, false, false);
        while !ended {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == self.end);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = self.longest - bytes.len();
            bytes.extend_from_slice(&part[..part.len().min(room)]);
            too_long |= part.len() > room;
            ended = end.is_some();
            let used = part.len() + usize::from(ended);
            self.reader.consume(used);
        }
        if !any {
            return Ok(None);
        }
        if self.end == b'\n' && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        self.number += 1;
        Ok(Some(Line { number: self.number, text: self.decode(bytes), ended, too_long }))
    }

    fn decode(&self, bytes: Vec<u8>) -> String {
        match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let (text, _) = self.encoding.decode_without_bom_handling(error.as_bytes());
                text.into_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Cursor;

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<(u64, String, bool)> {
        let mut lines = Lines::new(Box::new(Cursor::new(bytes.to_vec())), None).unwrap();
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
}
