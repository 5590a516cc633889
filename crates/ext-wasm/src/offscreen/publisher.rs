//! When what the engine shows is passed on, and to whom: a [`Snapshot`] to the open pages, the little that badge and menus
//! need to the service worker.

use core::cell::{Cell, RefCell};

use tabferry_engine::Time;
use tabferry_protocol::host::{Snapshot, TransferState};

use super::background;
use super::host::Host;
use super::timer::Timer;
use crate::envelope::{BackgroundMessage, EngineStatus};

/// Shortest time between two snapshots: faster than anyone reads.
const INTERVAL_MS: u64 = 200;

/// Time between two snapshots of a running transfer. Drawing them costs what the transfer could use.
const PROGRESS_INTERVAL_MS: u64 = 500;

/// What was passed on last.
#[derive(Debug)]
pub(crate) struct Publisher {
    timer: Timer,
    /// Whether the timer is set.
    due: Cell<bool>,
    revision: Cell<u64>,
    published: Cell<Option<Time>>,
    status: RefCell<Option<EngineStatus>>,
}

impl Publisher {
    /// `timer` is to call [`Publisher::publish`].
    pub(crate) fn new(timer: Timer) -> Self {
        Self {
            timer,
            due: Cell::default(),
            revision: Cell::default(),
            published: Cell::default(),
            status: RefCell::default(),
        }
    }

    /// Takes note of the engine's revision, and publishes if it is a new one, as soon as may be.
    pub(crate) fn notice(&self, now: Time, revision: u64) {
        if self.revision.replace(revision) != revision {
            self.publish_soon(now);
        }
    }

    /// Publishes as soon as may be.
    pub(crate) fn publish_soon(&self, now: Time) {
        if !self.due.replace(true) {
            let elapsed = self
                .published
                .get()
                .map_or(INTERVAL_MS, |last| now.since(last));
            self.timer.set(INTERVAL_MS.saturating_sub(elapsed));
        }
    }

    /// Publishes now.
    pub(crate) fn publish(&self, host: &Host) {
        self.due.set(false);
        self.published.set(Some(host.now()));
        let snapshot = host.snapshot();
        self.publish_status(host, &snapshot);
        let Some(pages) = host.pages().filter(|pages| pages.is_any_open()) else {
            return;
        };
        let shown = host.shown(snapshot);
        pages.show(&shown, &host.native().shown());
        // Progress makes no new revision.
        if shown
            .snapshot
            .transfers
            .iter()
            .any(|transfer| transfer.state == TransferState::Running)
        {
            self.timer.set(PROGRESS_INTERVAL_MS);
        }
    }

    fn publish_status(&self, host: &Host, snapshot: &Snapshot) {
        let waiting = u32::try_from(snapshot.incoming.len()).unwrap_or(u32::MAX);
        let native = host.native();
        let status = EngineStatus {
            connection: snapshot.connection,
            devices: snapshot.devices.clone(),
            waiting: waiting.saturating_add(native.waiting()),
            native: native.is_associated(),
        };
        let told = self.status.replace(Some(status.clone()));
        if told.as_ref() != Some(&status) {
            background::tell(BackgroundMessage::Status(status));
        }
    }
}
