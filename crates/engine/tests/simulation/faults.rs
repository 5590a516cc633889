//! Random schedules: when people act and what goes wrong in between, then calm, then the account.

use crate::plan::{Answering, Plan};
use crate::random::Random;
use crate::world::{Happening, Tally, World};

/// Everything has an end within this after things calmed down: an unanswered proposal has the longest life, an idle
/// connection comes on top.
const CALM_MS: u64 = 15 * 60_000;

/// Runs one schedule to its end. Panics when something is not as it should be.
pub(crate) fn run_schedule(seed: u64) -> Tally {
    let mut random = Random::new(seed);
    let plan = Plan::random(&mut random);
    let mut world = World::new(random, plan);
    world.plan_acts();
    world.plan_faults();
    world.run_until(world.plan.active_ms);
    world.calm_down();
    world.run_for(CALM_MS);
    world.check_end();
    world.send_once_more();
    world.tally
}

impl World {
    fn plan_acts(&mut self) {
        for node in 0..self.nodes.len() {
            for _ in 0..self.plan.actions {
                let at = self.moment();
                self.schedule(at, Happening::Acts { node });
            }
        }
        let at = self.moment();
        self.schedule(at, Happening::HostileActs);
    }

    fn plan_faults(&mut self) {
        let faults = self.plan.faults;
        for _ in 0..faults.path_losses {
            let (at, (a, b)) = (self.moment(), self.pair());
            let stale = self.random.one_in(2);
            let back = self.random.pick(&[500, 5_000, 15_000, 40_000, 90_000]);
            self.schedule(at, Happening::PathLost { a, b, stale, back });
        }
        for _ in 0..faults.total_losses {
            let (at, (a, b)) = (self.moment(), self.pair());
            self.schedule(at, Happening::ConnectionsEnd { a, b });
        }
        for _ in 0..faults.server_kills {
            let at = self.moment();
            let back = self.random.between(0, 40_000);
            self.schedule(at, Happening::ServerKilled { server: 0, back });
        }
        for _ in 0..faults.socket_drops {
            let at = self.moment();
            let node = self.random.index(self.nodes.len());
            self.schedule(at, Happening::SocketDropped { node });
        }
        for _ in 0..faults.crashes {
            let at = self.moment();
            let node = self.random.index(self.nodes.len());
            let back = self.random.between(0, 20_000);
            self.schedule(at, Happening::Crashed { node, back });
        }
    }

    fn moment(&mut self) -> u64 {
        self.random.below(self.plan.active_ms)
    }

    fn pair(&mut self) -> (usize, usize) {
        let a = self.random.index(self.nodes.len());
        let b = self.random.index(self.nodes.len() - 1);
        (a, if b >= a { b + 1 } else { b })
    }

    /// After all that, two honest devices can still send to each other.
    fn send_once_more(&mut self) {
        let (from, to) = self.pair();
        self.plan.answering = Answering::Accept;
        self.plan.server_garbage = false;
        let sending = self.send_files(from, to, &[0, 100_000]);
        let item = self.send_item(to, from);
        self.run_while("one more transfer", 120_000, |world| {
            world.ledger.sendings[sending].sent_end.is_none()
                || world.ledger.sendings[item].sent_end.is_none()
        });
        self.run_for(CALM_MS);
        self.check_end();
    }
}
