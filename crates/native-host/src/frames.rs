//! Frames on a stream: four bytes with the length of what follows, then JSON. Browsers and the daemon's socket have the
//! same. Knows no message.

use std::io;

use serde::Serialize;
use tabferry_protocol::limits::NATIVE_FRAME_BYTES;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Why no frame can be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than any may be; nothing of it was read.
    #[error("a frame of {0} bytes is longer than the {NATIVE_FRAME_BYTES} allowed")]
    TooLong(u32),
    /// No JSON is as short.
    #[error("an empty frame")]
    Empty,
    /// The stream has ended within a frame.
    #[error("the stream ended within a frame")]
    Cut,
    /// The stream is broken.
    #[error(transparent)]
    Io(io::Error),
}

/// The next frame's bytes; `None` at the stream's end. Not to be dropped in mid-way: the beginning of a frame would be lost.
pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, FrameError> {
    let mut header = [0; 4];
    let mut filled = 0;
    while filled < header.len() {
        let rest = header.get_mut(filled..).unwrap_or_default();
        match from.read(rest).await.map_err(FrameError::Io)? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(FrameError::Cut),
            read => filled += read,
        }
    }
    // Browsers write it in the machine's order, which is this one on all that they run on.
    let announced = u32::from_le_bytes(header);
    let length = match usize::try_from(announced) {
        Ok(0) => return Err(FrameError::Empty),
        Ok(length) if length <= NATIVE_FRAME_BYTES => length,
        _ => return Err(FrameError::TooLong(announced)),
    };
    let mut frame = vec![0; length];
    match from.read_exact(&mut frame).await {
        Ok(_) => Ok(Some(frame)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(FrameError::Cut),
        Err(error) => Err(FrameError::Io(error)),
    }
}

/// Writes a frame with these bytes. The caller has made them: too many of them are its fault, and an error.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len())
        .ok()
        .filter(|_| frame.len() <= NATIVE_FRAME_BYTES)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a frame is too long"))?;
    to.write_all(&length.to_le_bytes()).await?;
    to.write_all(frame).await?;
    to.flush().await
}

/// Writes a frame with a message in it.
pub async fn write_message(
    to: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> io::Result<()> {
    write(to, &serde_json::to_vec(message)?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(length: u32, bytes: &[u8]) -> Vec<u8> {
        [&length.to_le_bytes()[..], bytes].concat()
    }

    #[tokio::test]
    async fn frames_come_out_as_they_went_in() {
        let mut stream = Vec::new();
        let longest = vec![b'x'; NATIVE_FRAME_BYTES];
        write(&mut stream, b"{}").await.unwrap();
        write(&mut stream, &longest).await.unwrap();
        let mut from = stream.as_slice();
        assert_eq!(read(&mut from).await.unwrap().unwrap(), b"{}");
        assert_eq!(read(&mut from).await.unwrap().unwrap(), longest);
        assert!(read(&mut from).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_bad_length_is_refused_before_anything_is_read() {
        let longest = u32::try_from(NATIVE_FRAME_BYTES).unwrap();
        for length in [longest + 1, u32::MAX] {
            let bytes = framed(length, b"{}");
            let mut from = bytes.as_slice();
            assert!(
                matches!(read(&mut from).await, Err(FrameError::TooLong(told)) if told == length)
            );
            assert_eq!(from, b"{}");
        }
        let bytes = framed(0, b"{}");
        assert!(matches!(
            read(&mut bytes.as_slice()).await,
            Err(FrameError::Empty)
        ));
    }

    #[tokio::test]
    async fn an_end_within_a_frame_is_told_from_one_between_frames() {
        let bytes = framed(4, b"{}");
        for cut in 1..bytes.len() {
            assert!(
                matches!(read(&mut &bytes[..cut]).await, Err(FrameError::Cut)),
                "{cut}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_not_written() {
        let mut stream = Vec::new();
        let long = vec![b'x'; NATIVE_FRAME_BYTES + 1];
        assert!(write(&mut stream, &long).await.is_err());
        assert!(stream.is_empty());
    }
}
