//! A data channel's two directions: frames from their queue into it, and messages out of it as frames. It knows nothing
//! inside a frame.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::outgoing::{Outgoing, Taken};

/// Nothing more gets through a channel.
#[derive(Debug)]
pub(super) struct Lost;

/// How often a channel that is to be emptied is looked at while nothing happens in it.
const EMPTYING_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until a channel is open.
pub(super) async fn opened(channel: &dyn DataChannel) -> Result<(), Lost> {
    match channel.poll().await {
        Some(DataChannelEvent::OnOpen) => Ok(()),
        _ => Err(Lost),
    }
}

/// The next message. A text is no frame: an empty one takes its place, which the engine refuses.
pub(super) async fn next_message(channel: &dyn DataChannel) -> Result<BytesMut, Lost> {
    loop {
        match channel.poll().await {
            Some(DataChannelEvent::OnMessage(message)) if message.is_string => {
                return Ok(BytesMut::new());
            }
            Some(DataChannelEvent::OnMessage(message)) => return Ok(message.data),
            Some(
                DataChannelEvent::OnOpen
                | DataChannelEvent::OnBufferedAmountLow
                | DataChannelEvent::OnBufferedAmountHigh,
            ) => {}
            _ => return Err(Lost),
        }
    }
}

/// Sends the next frame of a queue, as soon as there is room for it. `None` once the queue is closed and empty.
pub(super) async fn send_next(
    channel: &dyn DataChannel,
    outgoing: &Outgoing,
) -> Result<Option<Taken>, Lost> {
    let Some(mut taken) = outgoing.next().await else {
        return Ok(None);
    };
    match channel.send(core::mem::take(&mut taken.frame)).await {
        Ok(()) => Ok(Some(taken)),
        Err(error) => {
            tracing::debug!(%error, "data channel");
            Err(Lost)
        }
    }
}

/// Waits until the other end has acknowledged all that was sent. What arrives meanwhile is dropped.
pub(super) async fn emptied(channel: &dyn DataChannel) {
    while channel
        .outstanding_bytes()
        .await
        .is_ok_and(|bytes| bytes > 0)
    {
        if let Ok(None) = timeout(EMPTYING_INTERVAL, channel.poll()).await {
            return;
        }
    }
}

/// Bounds the bytes of received messages that are in use anywhere. Who takes no more lets the channel's own queue fill,
/// and the other end learns by SCTP's window to wait.
#[derive(Debug)]
pub(super) struct Budget {
    free: Arc<Semaphore>,
    limit: u32,
}

impl Budget {
    /// A budget of so many bytes.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            free: Arc::new(Semaphore::new(limit as usize)),
            limit,
        }
    }

    /// Waits until there is room for a message. The room is free again when the last of its bytes is dropped.
    pub(super) async fn admit(&self, message: BytesMut) -> Result<Bytes, Lost> {
        let size = u32::try_from(message.len())
            .unwrap_or(u32::MAX)
            .min(self.limit);
        let room = Arc::clone(&self.free)
            .acquire_many_owned(size)
            .await
            .map_err(|_| Lost)?;
        Ok(Bytes::from_owner(Admitted {
            message,
            _room: room,
        }))
    }
}

struct Admitted {
    message: BytesMut,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Admitted {
    fn as_ref(&self) -> &[u8] {
        &self.message
    }
}

#[cfg(test)]
mod tests {
    use core::future::Future as _;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn room_is_free_again_when_the_last_slice_of_a_message_is_gone() {
        let budget = Budget::new(10);
        let mut cx = Context::from_waker(Waker::noop());
        let first = pin!(budget.admit(BytesMut::from(&b"01234567"[..]))).poll(&mut cx);
        let Poll::Ready(Ok(first)) = first else {
            panic!("there is room")
        };
        let slice = first.slice(2..4);
        let mut second = pin!(budget.admit(BytesMut::from(&b"abc"[..])));
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert_eq!(&slice[..], b"23");
        drop(slice);
        assert!(second.as_mut().poll(&mut cx).is_ready());
        // Larger than all there is: alone, it gets through.
        let long = pin!(budget.admit(BytesMut::zeroed(11))).poll(&mut cx);
        assert!(long.is_pending() || long.is_ready());
    }
}
