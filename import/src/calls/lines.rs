//! The lines of a file, numbered as an editor numbers them.

use std::{collections::VecDeque, io::{self, BufRead}};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The longest line that is read, in bytes: a record of a call has a few hundred.
pub(crate) const LONGEST: usize = 1 << 20;

/// A line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// Its text; a byte that does not fit the encoding is replaced.
    pub(crate) text: String,
    /// Whether its end is there: only the last line may have none.
    pub(crate) ended: bool,
    /// Whether it is longer than [`LONGEST`]: then the text is its beginning.
    pub(crate) too_long: bool,
}

/// Reads lines one by one, ended by LF, CRLF or CR.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    encoding: &'static Encoding,
    /// Of each 16 bits, in UTF-16.
    wide: bool,
    number: u64,
    /// Read ahead, or put back.
    ahead: VecDeque<Line>,
    /// A line ended by CR may go on with an LF, which belongs to its end.
    after_return: bool,
}

impl Lines {
    /// A mark at the beginning says the encoding; else text is UTF-8, and a line that is not is
    /// of the other encoding.
    pub(crate) fn new(
        mut reader: Box<dyn BufRead + Send>,
        encoding: Option<&'static Encoding>,
    ) -> io::Result<Self> {
        let start = reader.fill_buf()?;
        let marked = Encoding::for_bom(start);
        if let Some((_, length)) = marked {
            reader.consume(length);
        }
        let encoding = match (marked, encoding) {
            (Some((marked, _)), _) if marked != UTF_8 => marked,
            (_, Some(said)) => said,
            _ => WINDOWS_1252,
        };
        let wide = encoding == UTF_16LE || encoding == UTF_16BE;
        Ok(Self {
            reader,
            encoding,
            wide,
            number: 0,
            ahead: VecDeque::new(),
            after_return: false,
        })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        match self.ahead.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.read(),
        }
    }

    /// The next lines, which stay: at most so many.
    pub(crate) fn peek(&mut self, count: usize) -> io::Result<&VecDeque<Line>> {
        while self.ahead.len() < count {
            match self.read()? {
                Some(line) => self.ahead.push_back(line),
                None => break,
            }
        }
        Ok(&self.ahead)
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let mut too_long = false;
        let mut ended = false;
        let mut any = false;
        'line: loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            let mut used = 0;
            if self.after_return && !self.wide {
                self.after_return = false;
                if buffer[0] == b'\n' {
                    self.reader.consume(1);
                    continue;
                }
            }
            any = true;
            if self.wide {
                // Pairs of bytes: a half one may wait for the next buffer.
                for byte in buffer {
                    used += 1;
                    if bytes.len() < LONGEST {
                        bytes.push(*byte);
                    } else {
                        too_long = true;
                        bytes.truncate(LONGEST);
                        // Whole units still have to be seen, for the end of the line.
                        bytes.push(*byte);
                    }
                    if bytes.len().is_multiple_of(2) && self.ends_wide(&bytes) {
                        bytes.truncate(bytes.len() - 2);
                        ended = true;
                        self.reader.consume(used);
                        break 'line;
                    }
                }
                self.reader.consume(used);
                continue;
            }
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = LONGEST - bytes.len();
            bytes.extend_from_slice(&part[..part.len().min(room)]);
            too_long |= part.len() > room;
            used += part.len();
            if end.is_some() {
                self.after_return = buffer[used] == b'\r';
                used += 1;
                ended = true;
            }
            self.reader.consume(used);
            if ended {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Line { number: self.number, text: self.decode(bytes), ended, too_long }))
    }

    fn ends_wide(&self, bytes: &[u8]) -> bool {
        match bytes.last_chunk::<2>() {
            Some([low, high]) if self.encoding == UTF_16LE => *low == b'\n' && *high == 0,
            Some([high, low]) => *low == b'\n' && *high == 0,
            None => false,
        }
    }

    fn decode(&self, bytes: Vec<u8>) -> String {
        if self.wide {
            let (text, _) = self.encoding.decode_without_bom_handling(&bytes);
            return text.trim_end_matches('\r').to_owned();
        }
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
