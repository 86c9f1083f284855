//! On which lines of a JSON text the paths of faults are.
//!
//! Trees don't know lines, so the text is gone through once more when it has faults: a walk that
//! goes only where paths lead. The text is known to be JSON, and no deeper than trees may be.
//!
//! The walk skips whatever no path leads into, so a document of a million pods with one fault is
//! scanned, not parsed.

use crate::error::Error;
use crate::model::fault::shortened;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// The error with the lines of its faults: of a field that is missing, the line of the object.
pub(crate) fn with_lines(error: Error, text: &str) -> Error {
    if !error.is_invalid_input() {
        return error;
    }
    let wanted = error.findings().iter().map(|fault| fault.path.clone()).collect();
    let mut walk = Walk { bytes: text.as_bytes(), at: 0, line: 1, wanted, lines: BTreeMap::new() };
    let _end = walk.value(Some(""));
    error.with_lines(|path| {
        let starts = path.char_indices().filter(|(_, c)| matches!(c, '.' | '['));
        let mut ends: Vec<usize> = starts.map(|(at, _)| at).collect();
        ends.push(path.len());
        ends.iter().rev().find_map(|end| walk.lines.get(path.get(..*end)?).copied())
    })
}

/// Lines count from 1, as editors do.
struct Walk<'t> {
    bytes: &'t [u8],
    at: usize,
    line: usize,
    wanted: BTreeSet<String>,
    /// The lines of paths that lead to those that are wanted.
    lines: BTreeMap<String, usize>,
}

impl Walk<'_> {
    /// The next byte that isn't blank.
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => return Some(byte),
            }
            self.at += 1;
        }
    }

    /// Whether a path is one that is wanted, or above one.
    fn leads_on(&self, path: &str) -> bool {
        let from = (Bound::Included(path), Bound::Unbounded);
        let mut longer =
            self.wanted.range::<str, _>(from).map_while(|next| next.strip_prefix(path));
        longer.any(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }

    /// Goes through a value; its path, if any that is wanted is within. `None` at the end of what
    /// isn't JSON.
    fn value(&mut self, path: Option<&str>) -> Option<()> {
        match self.next()? {
            b'{' => self.members(path),
            b'[' => self.items(path),
            b'"' => self.text().map(drop),
            _ => {
                while let Some(byte) = self.bytes.get(self.at) {
                    if matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace() {
                        break;
                    }
                    self.at += 1;
                }
                Some(())
            }
        }
    }

    /// Goes through a text and returns it, escapes and all.
    fn text(&mut self) -> Option<&str> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.bytes.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        let text = self.bytes.get(start..self.at)?;
        self.at += 1;
        std::str::from_utf8(text).ok()
    }

    fn members(&mut self, path: Option<&str>) -> Option<()> {
        self.at += 1;
        while self.next()? != b'}' {
            let line = self.line;
            let written = self.text()?;
            let key = path.map(|_| {
                let quoted = format!("\"{written}\"");
                serde_json::from_str(&quoted).unwrap_or_else(|_| written.to_owned())
            });
            let inner = path.zip(key).and_then(|(path, key)| {
                let key = shortened(&key);
                let field = if path.is_empty() { key.into() } else { format!("{path}.{key}") };
                let entry = format!("{path}[{key}]");
                [field, entry].into_iter().find(|inner| self.leads_on(inner))
            });
            self.note(inner.as_deref(), line);
            let _colon = self.next()?;
            self.at += 1;
            self.value(inner.as_deref())?;
            if self.next()? == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        Some(())
    }

    fn items(&mut self, path: Option<&str>) -> Option<()> {
        self.at += 1;
        let mut index = 0_usize;
        while self.next()? != b']' {
            let inner = path.map(|path| format!("{path}[{index}]"));
            let inner = inner.filter(|inner| self.leads_on(inner));
            self.note(inner.as_deref(), self.line);
            self.value(inner.as_deref())?;
            if self.next()? == b',' {
                self.at += 1;
            }
            index += 1;
        }
        self.at += 1;
        Some(())
    }

    fn note(&mut self, path: Option<&str>, line: usize) {
        if let Some(path) = path {
            let _former = self.lines.entry(path.to_owned()).or_insert(line);
        }
    }
}
