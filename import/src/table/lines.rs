//! Lines of text out of bytes in whatever encoding, numbered as an editor numbers them.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Part;

/// A line of a file, without its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) text: String,
    /// A line end follows. Of a last line without one nobody knows whether it is whole.
    pub(super) ended: bool,
    /// Longer than the limit; the text is cut.
    pub(super) too_long: bool,
}

/// The lines of a file.
pub(super) struct Lines {
    input: BufReader<Box<dyn Read + Send>>,
    number: u64,
    end: u8,
    said: bool,
    encoding: &'static Encoding,
    limit: usize,
    bytes: Vec<u8>,
    /// The likeliest code page of the beginning, if that is not UTF-8.
    likely: Option<&'static Encoding>,
}

impl Lines {
    /// `said` is the encoding if the profile says it.
    pub(super) fn new(part: Part, said: Option<&'static Encoding>, limit: usize) -> Self {
        let Part { mut head, rest, .. } = part;
        let (encoding, mark) = match Encoding::for_bom(&head) {
            Some((encoding, mark)) => (encoding, mark),
            None => (said.or_else(|| utf16(&head)).unwrap_or(UTF_8), 0),
        };
        let said = said.is_some() || mark > 0;
        let mut rest: Box<dyn Read + Send> = rest;
        let mut head = head.split_off(mark);
        let mut line_encoding = encoding;
        if encoding == UTF_16LE || encoding == UTF_16BE || encoding == encoding_rs::ISO_2022_JP {
            // Their line ends are not single bytes; everything else is decoded line by line.
            let decoder = encoding.new_decoder_without_bom_handling();
            let whole = Cursor::new(head).chain(rest);
            let mut utf8: Box<dyn Read + Send> = Box::new(Decoding {
                input: Box::new(whole),
                decoder,
                ready: Vec::new(),
                at: 0,
                done: false,
            });
            head = Vec::new();
            // An error comes again when lines are read.
            let _ = utf8.by_ref().take(64 * 1024).read_to_end(&mut head);
            rest = utf8;
            line_encoding = UTF_8;
        }
        let end = if head.contains(&b'\n') || !head.contains(&b'\r') { b'\n' } else { b'\r' };
        // A character that the sample ends within is no mistake.
        let is_utf8 = std::str::from_utf8(&head).map_or_else(|e| e.error_len().is_none(), |_| true);
        let likely = (!is_utf8).then(|| code_page(&head));
        Self {
            likely,
            input: BufReader::with_capacity(64 * 1024, Box::new(Cursor::new(head).chain(rest))),
            number: 0,
            end,
            said: said || encoding != line_encoding,
            encoding: line_encoding,
            limit,
            bytes: Vec::new(),
        }
    }

    /// The encoding that was said or found so far.
    pub(super) fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// The next line; false at the end of the file.
    pub(super) fn read(&mut self, line: &mut Line) -> io::Result<bool> {
        self.bytes.clear();
        line.too_long = false;
        let limit = self.limit as u64 + 2;
        let read = (&mut self.input).take(limit).read_until(self.end, &mut self.bytes)?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        line.number = self.number;
        line.ended = self.bytes.last() == Some(&self.end);
        if line.ended {
            self.bytes.pop();
            if self.end == b'\n' && self.bytes.last() == Some(&b'\r') {
                self.bytes.pop();
            }
        } else if read as u64 == limit {
            line.ended = self.skip_line()?;
            line.too_long = true;
        }
        line.text.clear();
        self.decode(&mut line.text);
        Ok(true)
    }

    /// Reads on to the end of the line; whether there is one.
    fn skip_line(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.input.fill_buf()?;
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

    /// A line in UTF-8 is taken as such, one that is not in the code page that was said or found:
    /// a byte that does not fit becomes a replacement character and stops nothing.
    fn decode(&mut self, text: &mut String) {
        if self.encoding == UTF_8 || !self.said {
            if let Ok(valid) = std::str::from_utf8(&self.bytes) {
                text.push_str(valid);
                return;
            }
            if !self.said && self.encoding == UTF_8 {
                self.encoding = self.likely.unwrap_or_else(|| code_page(&self.bytes));
            }
        }
        let (decoded, _) = self.encoding.decode_without_bom_handling(&self.bytes);
        text.push_str(&decoded);
    }
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
