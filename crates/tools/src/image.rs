//! Pictures for models: recognised by content, scaled down when a provider would refuse them.

use std::io::Cursor;

use ::image::codecs::jpeg::JpegEncoder;
use ::image::imageops::FilterType;
use ::image::{DynamicImage, ImageFormat, ImageReader, Limits};
use base64::Engine as _;

/// Longest side that every provider takes.
pub const MAX_SIDE: u32 = 2000;
/// Base64 of this stays below the 5 MB that providers accept per picture.
pub const MAX_ENCODED_BYTES: usize = 3_500_000;
/// A small file can describe a gigantic picture; decoding stops here. Units: bytes of memory.
const MAX_DECODED_BYTES: u64 = 512 * 1024 * 1024;
/// Tried in this order when a picture is still too large.
const JPEG_QUALITIES: [u8; 3] = [85, 70, 50];

/// A picture as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    pub bytes: Vec<u8>,
    pub mime_type: &'static str,
    /// Width and height before and after.
    pub resized: Option<((u32, u32), (u32, u32))>,
}

impl Prepared {
    pub fn base64(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(&self.bytes)
    }
}

/// The media type of a picture we can show, by its first bytes. File names do not matter.
pub fn sniff(start: &[u8]) -> Option<&'static str> {
    match start {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        // The length of the second header distinguishes it from text that begins with "BM".
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, _, _, _, _, 12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0, ..] => {
            Some("image/bmp")
        }
        _ => None,
    }
}

/// Make a picture acceptable: unchanged when it already is, otherwise scaled and encoded anew.
pub fn prepare(bytes: Vec<u8>, mime_type: &'static str) -> Result<Prepared, ::image::ImageError> {
    let format = ImageFormat::from_mime_type(mime_type).unwrap_or(ImageFormat::Png);
    let (width, height) = ImageReader::with_format(Cursor::new(&bytes), format).into_dimensions()?;
    let fits = width <= MAX_SIDE && height <= MAX_SIDE && bytes.len() <= MAX_ENCODED_BYTES;
    if fits && format != ImageFormat::Bmp {
        return Ok(Prepared { bytes, mime_type, resized: None });
    }
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut picture = reader.decode()?;
    if width > MAX_SIDE || height > MAX_SIDE {
        picture = picture.resize(MAX_SIDE, MAX_SIDE, FilterType::Triangle);
    }
    loop {
        let (bytes, mime_type) = encode(&picture)?;
        let size = (picture.width(), picture.height());
        if bytes.len() <= MAX_ENCODED_BYTES || size.0.max(size.1) < 64 {
            let resized = (size != (width, height)).then_some(((width, height), size));
            return Ok(Prepared { bytes, mime_type, resized });
        }
        picture = picture.resize(size.0 * 3 / 4, size.1 * 3 / 4, FilterType::Triangle);
    }
}

/// PNG when it is small enough, else the best JPEG that is.
fn encode(picture: &DynamicImage) -> Result<(Vec<u8>, &'static str), ::image::ImageError> {
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png)?;
    let png = png.into_inner();
    if png.len() <= MAX_ENCODED_BYTES {
        return Ok((png, "image/png"));
    }
    let opaque = picture.to_rgb8();
    let mut smallest = Vec::new();
    for quality in JPEG_QUALITIES {
        smallest = Vec::new();
        JpegEncoder::new_with_quality(&mut smallest, quality).encode_image(&opaque)?;
        if smallest.len() <= MAX_ENCODED_BYTES {
            break;
        }
    }
    Ok((smallest, "image/jpeg"))
}
