//! Frames that wait for their turn in a data channel, bounded in bytes. It knows nothing of what is in them.

use core::fmt;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::Notify;

/// Bytes that may wait: as many as Chromium takes before it refuses.
const LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// The frames of one channel, between the engine's loop and the connection's task.
#[derive(Default)]
pub(super) struct Outgoing {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<BytesMut>,
    bytes: usize,
    closed: bool,
}

/// A frame taken, and how many bytes waited with and without it.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) frame: BytesMut,
    pub(super) before: u64,
    pub(super) after: u64,
}

/// No room is left.
#[derive(Debug)]
pub(super) struct Full;

impl Outgoing {
    /// Adds a frame. What is added after [`close`](Self::close) is dropped.
    pub(super) fn push(&self, frame: BytesMut) -> Result<(), Full> {
        let mut queue = self.lock();
        if queue.closed {
            return Ok(());
        }
        let bytes = queue.bytes + frame.len();
        if bytes > LIMIT_BYTES {
            return Err(Full);
        }
        queue.bytes = bytes;
        queue.frames.push_back(frame);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes the next frame, when there is one; `None` once it is closed and empty. For one taker.
    pub(super) async fn next(&self) -> Option<Taken> {
        loop {
            {
                let mut queue = self.lock();
                if let Some(frame) = queue.frames.pop_front() {
                    let before = queue.bytes;
                    queue.bytes -= frame.len();
                    return Some(Taken {
                        frame,
                        before: before as u64,
                        after: queue.bytes as u64,
                    });
                }
                if queue.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Takes no further frames. Those that wait can still be taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Drops what waits, and takes no further frames.
    pub(super) fn discard(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.frames.clear();
        queue.bytes = 0;
        drop(queue);
        self.changed.notify_one();
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> u64 {
        self.lock().bytes as u64
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> BytesMut {
        BytesMut::zeroed(bytes)
    }

    #[tokio::test]
    async fn what_waits_is_counted_and_bounded() {
        let outgoing = Outgoing::default();
        outgoing.push(frame(LIMIT_BYTES - 1)).unwrap();
        outgoing.push(frame(1)).unwrap();
        assert!(outgoing.push(frame(1)).is_err());
        let taken = outgoing.next().await.unwrap();
        assert_eq!((taken.before, taken.after), (LIMIT_BYTES as u64, 1));
        outgoing.push(frame(2)).unwrap();
        assert_eq!(outgoing.bytes(), 3);
    }

    #[tokio::test]
    async fn a_closed_queue_gives_what_it_holds_and_takes_no_more() {
        let outgoing = Outgoing::default();
        outgoing.push(frame(3)).unwrap();
        outgoing.close();
        outgoing.push(frame(4)).unwrap();
        assert_eq!(outgoing.next().await.unwrap().frame.len(), 3);
        assert!(outgoing.next().await.is_none());
    }

    #[tokio::test]
    async fn who_waits_hears_of_a_frame_and_of_the_end() {
        let outgoing = Outgoing::default();
        let (taken, ()) = tokio::join!(outgoing.next(), async {
            outgoing.push(frame(5)).unwrap();
        });
        assert_eq!(taken.unwrap().frame.len(), 5);
        let (taken, ()) = tokio::join!(outgoing.next(), async { outgoing.discard() });
        assert!(taken.is_none());
    }
}
