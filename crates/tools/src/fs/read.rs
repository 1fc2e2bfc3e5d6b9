//! Reading text by range, and images as attachments.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::fs::blocking;
use crate::limits::{MAX_BYTES, MAX_LINES, size};
use crate::{Content, Output, ToolError, ToolResult, Workspace, image};

/// How much of a file decides whether it is text.
const SNIFF_BYTES: usize = 8 * 1024;
/// Larger pictures are not even decoded.
const MAX_IMAGE_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Debug, Clone, Default, Deserialize)]
pub struct ReadArgs {
    #[serde(alias = "file_path")]
    pub path: String,
    /// First line, from 1.
    #[serde(default)]
    pub offset: Option<usize>,
    /// Lines at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Read a file from its head, or from `offset`, up to the limits. `sees_images`: can the model use a picture?
pub async fn read(workspace: &Workspace, args: ReadArgs, sees_images: bool, cancel: &CancellationToken) -> ToolResult {
    let path = workspace.resolve_existing(&args.path);
    let written = args.path.clone();
    let work_cancel = cancel.clone();
    let work = blocking(move || {
        let metadata = std::fs::metadata(&path).map_err(ToolError::io("read", &path))?;
        if metadata.is_dir() {
            return Err(ToolError::invalid(format!("`{written}` is a directory: list it with ls")));
        }
        if !metadata.is_file() {
            return Err(ToolError::invalid(format!("`{written}` is not a regular file")));
        }
        let mut file = File::open(&path).map_err(ToolError::io("read", &path))?;
        let mut start = vec![0; SNIFF_BYTES];
        let read = fill(&mut file, &mut start).map_err(ToolError::io("read", &path))?;
        start.truncate(read);
        if let Some(mime_type) = image::sniff(&start) {
            return read_image(&path, metadata.len(), mime_type, sees_images);
        }
        if start.contains(&0) {
            return Err(ToolError::invalid(format!(
                "`{written}` is not text ({} of binary data): inspect it with a shell command",
                size(usize::try_from(metadata.len()).unwrap_or(usize::MAX))
            )));
        }
        let reader = BufReader::new(std::io::Cursor::new(start).chain(file));
        read_text(reader, &written, &args, &path, &work_cancel)
    });
    tokio::select! {
        output = work => output,
        () = cancel.cancelled() => Err(ToolError::Aborted),
    }
}

fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

/// Lines `offset..` of `reader`. The rest is only counted, so that any file may be read.
fn read_text(
    mut reader: impl BufRead,
    written: &str,
    args: &ReadArgs,
    path: &Path,
    cancel: &CancellationToken,
) -> ToolResult {
    let first = args.offset.unwrap_or(1).max(1);
    let wanted = args.limit.unwrap_or(usize::MAX).max(1);
    let mut shown: Vec<u8> = Vec::new();
    let mut lines_shown = 0;
    let mut full = None;
    let mut first_line_bytes = 0;
    let mut total = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        // One line may be the whole file; what exceeds the limit is skipped, not kept.
        let (length, ended) = read_line(&mut reader, &mut line, MAX_BYTES + 1).map_err(ToolError::io("read", path))?;
        if length == 0 && ended {
            break;
        }
        total += 1;
        if total % 4096 == 0 && cancel.is_cancelled() {
            return Err(ToolError::Aborted);
        }
        if total < first || lines_shown >= wanted || full.is_some() {
            continue;
        }
        if line.ends_with(b"\r") {
            line.pop();
        }
        if lines_shown == MAX_LINES {
            full = Some("lines");
        } else if shown.len() + line.len() + usize::from(lines_shown > 0) > MAX_BYTES {
            full = Some("bytes");
            if lines_shown == 0 {
                first_line_bytes = length;
            }
        } else {
            if lines_shown > 0 {
                shown.push(b'\n');
            }
            shown.extend_from_slice(&line);
            lines_shown += 1;
        }
    }

    if total == 0 {
        return match first {
            1 => Ok(Output::text("(empty file)")),
            _ => Err(ToolError::invalid(format!("offset {first} is past the end: `{written}` is empty"))),
        };
    }
    if first > total {
        return Err(ToolError::invalid(format!("offset {first} is past the end: `{written}` has {total} lines")));
    }
    let mut text = String::from_utf8_lossy(&shown).into_owned();
    if first == 1 {
        text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    }
    let last = first + lines_shown - 1;
    let next = last + 1;
    let details = |by: &str| {
        json!({ "truncation": { "truncated": true, "truncatedBy": by, "totalLines": total, "outputLines": lines_shown,
                "outputBytes": shown.len(), "maxLines": MAX_LINES, "maxBytes": MAX_BYTES } })
    };
    if first_line_bytes > 0 {
        let quoted = written.replace('\'', r"'\''");
        let note = format!(
            "[Line {first} is {}, more than the limit of {}. Use bash: sed -n '{first}p' '{quoted}' | head -c {MAX_BYTES}]",
            size(first_line_bytes),
            size(MAX_BYTES)
        );
        return Ok(Output::text(note).with_details(details("bytes")));
    }
    Ok(match full {
        Some(by) => {
            let limit = if by == "bytes" { format!(" ({} limit)", size(MAX_BYTES)) } else { String::new() };
            text.push_str(&format!(
                "\n\n[Showing lines {first}-{last} of {total}{limit}. Use offset={next} to continue.]"
            ));
            Output::text(text).with_details(details(by))
        }
        None if last < total => {
            text.push_str(&format!("\n\n[{} more lines in file. Use offset={next} to continue.]", total - last));
            Output::text(text)
        }
        None => Output::text(text),
    })
}

/// Read up to the next newline, keeping at most `keep` bytes. Returns the line's whole length and whether the file ended
/// without another line.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>, keep: usize) -> std::io::Result<(usize, bool)> {
    let mut length = 0;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok((length, true));
        }
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..newline.unwrap_or(buffer.len())];
        line.extend_from_slice(&part[..part.len().min(keep.saturating_sub(line.len()))]);
        length += part.len();
        let used = part.len() + usize::from(newline.is_some());
        reader.consume(used);
        if newline.is_some() {
            return Ok((length, false));
        }
    }
}

fn read_image(path: &Path, bytes: u64, mime_type: &'static str, sees_images: bool) -> ToolResult {
    if bytes > MAX_IMAGE_BYTES {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        return Err(ToolError::invalid(format!("the image is too large to show ({})", size(bytes))));
    }
    let data = std::fs::read(path).map_err(ToolError::io("read", path))?;
    let prepared = match image::prepare(data, mime_type) {
        Ok(prepared) => prepared,
        Err(error) => return Err(ToolError::invalid(format!("failed to decode the image ({mime_type}): {error}"))),
    };
    let mut note = format!("Read image file [{}]", prepared.mime_type);
    if let Some((from, to)) = prepared.resized {
        note.push_str(&format!("\n[Scaled from {}x{} to {}x{}.]", from.0, from.1, to.0, to.1));
    }
    if !sees_images {
        note.push_str("\n[The current model cannot see images; the picture is shown to the user only.]");
    }
    let image = Content::Image { data: prepared.base64(), mime_type: prepared.mime_type.to_owned() };
    Ok(Output { content: vec![Content::Text(note), image], details: None, is_error: false })
}
