//! The cheapest possible Socket.IO peer over WebSocket: it shares the two cores with what it measures, so it must not be the bottleneck.
//! Frames are found in the read buffer by their headers; payloads are looked at only where the caller asks.

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

const READ_BUFFER: usize = 256 * 1024;

/// One namespace on one connection.
pub struct Peer {
    pub reader: Reader,
    pub writer: Writer,
}

pub struct Reader {
    stream: OwnedReadHalf,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

pub struct Writer {
    stream: OwnedWriteHalf,
    pending: Vec<u8>,
}

impl Peer {
    /// Connect, upgrade and join `namespace` (with its slash). `auth` is a JSON object.
    pub async fn connect(port: u16, namespace: &str, auth: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            bail!("no upgrade: {}", String::from_utf8_lossy(&head));
        }
        let (reader, writer) = stream.into_split();
        let mut peer = Self {
            reader: Reader { stream: reader, buffer: vec![0; READ_BUFFER], start: 0, end: 0 },
            writer: Writer { stream: writer, pending: Vec::new() },
        };
        peer.writer.send(format!("40{namespace},{auth}").as_bytes()).await?;
        let joined = format!("40{namespace},");
        loop {
            let frame = peer.reader.next().await?.context("closed before the namespace answered")?;
            match frame {
                b"2" => peer.writer.send(b"3").await?,
                frame if frame.starts_with(joined.as_bytes()) => return Ok(peer),
                frame if frame.starts_with(b"44") => bail!("refused: {}", String::from_utf8_lossy(frame)),
                _ => {}
            }
        }
    }
}

impl Reader {
    /// The payload of the next frame; `None` at the end of the stream.
    pub async fn next(&mut self) -> Result<Option<&[u8]>> {
        loop {
            if let Some((payload, whole)) = frame(&self.buffer[self.start..self.end])? {
                let from = self.start + payload;
                let to = self.start + whole;
                self.start += whole;
                return Ok(Some(&self.buffer[from..to]));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// A frame that is already here, without waiting.
    pub fn ready(&mut self) -> Result<Option<&[u8]>> {
        let Some((payload, whole)) = frame(&self.buffer[self.start..self.end])? else { return Ok(None) };
        let (from, to) = (self.start + payload, self.start + whole);
        self.start += whole;
        Ok(Some(&self.buffer[from..to]))
    }

    async fn fill(&mut self) -> Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let length = self.stream.read(&mut self.buffer[self.end..]).await?;
        self.end += length;
        Ok(length > 0)
    }
}

/// Where the payload of the first whole frame starts and where the frame ends.
fn frame(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let [first, second, ..] = bytes else { return Ok(None) };
    if first & 0x0f == 0x8 {
        bail!("the server closed the connection");
    }
    let (head, length) = match second & 0x7f {
        126 if bytes.len() >= 4 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        127 if bytes.len() >= 10 => {
            let length = u64::from_be_bytes(bytes[2..10].try_into().context("eight bytes")?);
            (10, usize::try_from(length)?)
        }
        126 | 127 => return Ok(None),
        short => (2, usize::from(short)),
    };
    Ok((bytes.len() >= head + length).then_some((head, head + length)))
}

impl Writer {
    /// Put a text frame into the buffer. The mask is zero, which is legal and costs nothing.
    pub fn queue(&mut self, payload: &[u8]) {
        self.pending.push(0x81);
        match payload.len() {
            length @ 0..=125 => self.pending.push(0x80 | length as u8),
            length @ 126..=0xffff => {
                self.pending.push(0x80 | 126);
                self.pending.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                self.pending.push(0x80 | 127);
                self.pending.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.pending.extend_from_slice(&[0; 4]);
        self.pending.extend_from_slice(payload);
    }

    pub async fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.pending).await?;
        self.pending.clear();
        Ok(())
    }

    pub async fn send(&mut self, payload: &[u8]) -> Result<()> {
        self.queue(payload);
        self.flush().await
    }
}

/// The text between `before` and the next quote or comma, searched in the first `within` bytes.
pub fn field<'a>(frame: &'a [u8], before: &str, within: usize) -> Option<&'a str> {
    let head = &frame[..frame.len().min(within)];
    let at = head.windows(before.len()).position(|window| window == before.as_bytes())? + before.len();
    let rest = &frame[at..];
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b',' | b'}'))?;
    std::str::from_utf8(&rest[..end]).ok()
}
