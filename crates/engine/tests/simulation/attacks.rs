//! A malicious signaling server: every attack of the list, many times, each time with other delays, transfers and
//! directions. Nothing of what people send gets to anybody but the device that it is for; whoever was attacked learns it,
//! in the words that `evil::Outcome` has for the attack; and when the attack is over, everything works again.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use evil::{Evil, Outcome, Variant};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::TransferState;

use crate::plan::{Answering, Plan};
use crate::random::Random;
use crate::world::World;
use crate::{THREADS, explain, number_from};

/// How often each attack is run.
const RUNS: usize = 1_000;

/// Longer than a transfer that fails takes, whatever comes in between.
const MOST_MS: u64 = 10 * 60_000;

/// What came of some runs of one attack.
#[derive(Debug, Default, Clone, Copy)]
struct Account {
    runs: usize,
    /// Connections that were tried while the server attacked.
    attempts: usize,
    /// Runs in which the device that sends has reported a connection that it could not verify.
    by_sender: usize,
    /// Runs in which the device that it was brought together with has.
    by_other: usize,
    /// Transfers that arrived all the same, and those that did not.
    arrived: usize,
    failed: usize,
    /// Bytes of what people send that anybody else got.
    astray: u64,
}

impl Account {
    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.attempts += other.attempts;
        self.by_sender += other.by_sender;
        self.by_other += other.by_other;
        self.arrived += other.arrived;
        self.failed += other.failed;
        self.astray += other.astray;
    }
}

#[test]
fn a_malicious_server_gets_nothing_and_is_noticed() {
    if let Ok(name) = std::env::var("TABFERRY_ATTACK") {
        let variant = name.parse().expect("TABFERRY_ATTACK names an attack");
        let seed = number_from("TABFERRY_SEED").unwrap_or_default();
        if catch_unwind(AssertUnwindSafe(|| run(variant, seed))).is_err() {
            explain(&again(variant, seed), usize::MAX, || {
                run(variant, seed);
            });
        }
        return;
    }
    let runs = number_from("TABFERRY_ATTACKS").map_or(RUNS, |runs| runs as usize);
    let started = Instant::now();
    let all = Variant::ALL.len() * runs;
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let accounts = Mutex::new([Account::default(); Variant::ALL.len()]);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= all || failed.lock().unwrap().is_some() {
                break;
            }
            let (index, seed) = (number / runs, (number % runs) as u64);
            let variant = Variant::ALL[index];
            match catch_unwind(AssertUnwindSafe(|| run(variant, seed))) {
                Ok(account) => accounts.lock().unwrap()[index].add(&account),
                Err(_) => *failed.lock().unwrap() = Some((variant, seed)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    if let Some((variant, seed)) = failed.into_inner().unwrap() {
        explain(&again(variant, seed), 200, || {
            run(variant, seed);
        });
    }
    let accounts = accounts.into_inner().unwrap();
    println!("{}", table(&accounts));
    println!("{all} runs, {:.1} s", started.elapsed().as_secs_f64());
    assert!(
        accounts
            .iter()
            .all(|account| account.attempts >= account.runs),
        "an attack without a connection to attack"
    );
    assert!(accounts.iter().all(|account| account.astray == 0));
}

fn again(variant: Variant, seed: u64) -> String {
    format!("TABFERRY_ATTACK={variant} TABFERRY_SEED={seed}")
}

fn table(accounts: &[Account]) -> String {
    let mut table = format!(
        "{:<20} {:>6} {:>9} {:>10} {:>9} {:>8} {:>7} {:>13}",
        "attack", "runs", "attempts", "by sender", "by other", "arrived", "failed", "bytes astray"
    );
    for (variant, account) in Variant::ALL.iter().zip(accounts) {
        let Account {
            runs,
            attempts,
            by_sender,
            by_other,
            arrived,
            failed,
            astray,
        } = account;
        let name = variant.name();
        let _ = write!(
            table,
            "\n{name:<20} {runs:>6} {attempts:>9} {by_sender:>10} {by_other:>9} {arrived:>8} {failed:>7} {astray:>13}"
        );
    }
    table
}

/// One run: devices that know each other, the attack, the account, and an honest server again.
fn run(variant: Variant, seed: u64) -> Account {
    let mut random = Random::new(seed);
    let plan = Plan {
        answering: Answering::Accept,
        signaling_delay: (0, random.pick(&[0, 5, 50, 400])),
        latency: (0, random.pick(&[0, 3, 30, 200])),
        link_rate: random.pick(&[500, 5_000, 50_000]),
        ..Plan::scripted(if variant.takes_three() { 3 } else { 2 })
    };
    let mut world = World::new(random, plan);
    let mut evil = Evil::new(variant, seed);
    if !variant.lies() {
        evil.rest();
    }
    world.evil = Some(evil);
    world.meet_all();
    if matches!(variant, Variant::ReplayInstead | Variant::ReplayBeside) {
        // Something to replay, said by each of the two in each role.
        for (from, to) in [(0, 1), (1, 0)] {
            world.send_item(from, to);
            world.settle();
        }
    }
    let account = match variant {
        Variant::Restart => world.attack_open_session(seed),
        _ => world.attack_transfers(variant, seed),
    };
    world.end_attack();
    account
}

impl World {
    /// People send to each other while the server attacks.
    fn attack_transfers(&mut self, variant: Variant, seed: u64) -> Account {
        if !variant.lies() {
            self.begin_attack(variant, seed);
        }
        let before = self.ledger.sendings.len();
        let transfers = self.random.between(1, 4);
        for _ in 0..transfers {
            let (from, to) = self.ends_for(variant);
            if self.random.one_in(2) {
                self.send_item(from, to);
            } else {
                let bytes = self.random.pick(&[0, 1, 1_000, 100_000]);
                self.send_files(from, to, &[bytes, 10]);
            }
            let pause = self.random.pick(&[0, 0, 20, 300, 3_000]);
            self.run_for(pause);
        }
        if variant == Variant::Splice {
            // There is an answer to exchange with another one only if both are awaited.
            self.send_item(0, 1);
            self.send_item(0, 2);
        }
        self.account(variant, before, false)
    }

    /// ICE is restarted while people send to each other in a session that began honestly.
    fn attack_open_session(&mut self, seed: u64) -> Account {
        let before = self.ledger.sendings.len();
        let (from, to) = self.ends_for(Variant::Restart);
        let bytes = 20_000 * self.plan.link_rate;
        self.send_files(from, to, &[bytes]);
        self.run_while("a transfer that runs", MOST_MS, |world| {
            world.nodes[to].files.is_empty()
        });
        self.begin_attack(Variant::Restart, seed);
        self.ledger.disturb(from, to);
        let acts = self.evil.as_ref().expect("set").provoke();
        self.perform_acts(acts);
        // The end that notices can say so through the server only, if nothing else gets through.
        let path_lost = self.random.one_in(2);
        if path_lost {
            self.lose_path(from, to, true);
        }
        let account = self.account(Variant::Restart, before, path_lost);
        self.find_path(from, to);
        account
    }

    fn begin_attack(&mut self, variant: Variant, seed: u64) {
        self.evil.as_mut().expect("set").attack(variant, seed);
    }

    /// Who sends to whom.
    fn ends_for(&mut self, variant: Variant) -> (usize, usize) {
        match variant {
            Variant::Divert => (0, 1),
            Variant::Mirror | Variant::Splice => (0, self.random.pick(&[1, 2])),
            _ => self.random.pick(&[(0, 1), (1, 0)]),
        }
    }

    /// Waits for the ends of the transfers since `before` and holds them against what has to come of the attack.
    fn account(&mut self, variant: Variant, before: usize, path_lost: bool) -> Account {
        // Whether the end that does not notice by itself may never hear of it.
        let silent = self.evil.as_ref().expect("set").is_silent();
        let untold = silent && path_lost;
        if untold {
            // It waits for the other one, until its person has had enough.
            self.run_for(MOST_MS);
            for index in before..self.ledger.sendings.len() {
                let sending = &mut self.ledger.sendings[index];
                if sending.sent_end.is_none() {
                    sending.cancelled_by_sender = true;
                    let (node, sent) = (sending.from.node, sending.sent.expect("it is shown"));
                    self.cancel(node, sent);
                }
            }
        }
        self.run_while("a transfer has no end", MOST_MS, |world| {
            world.ledger.sendings[before..]
                .iter()
                .any(|sending| sending.sent_end.is_none())
        });
        // Whatever is on its way to the other end.
        self.run_for(60_000);
        let outcome = variant.outcome();
        let sendings = &self.ledger.sendings[before..];
        let mut account = Account {
            runs: 1,
            attempts: self.evil.as_ref().expect("set").attempts(),
            astray: self.middle.read,
            ..Account::default()
        };
        for sending in sendings {
            let end = sending.sent_end.expect("awaited");
            let got = sending
                .files
                .iter()
                .any(|it| self.ledger.files[*it].stored > 0)
                || sending.deliveries > 0;
            match end {
                TransferState::Done => account.arrived += 1,
                _ => account.failed += 1,
            }
            let failed = |codes: &[Code]| {
                codes
                    .iter()
                    .any(|code| end == TransferState::Failed { code: *code })
            };
            let fits = match outcome {
                Outcome::Unverified if untold => {
                    let given_up = end == TransferState::Cancelled { here: true };
                    !got && (failed(&[Code::Unverified]) || given_up)
                }
                Outcome::Unverified | Outcome::Mirrored => !got && failed(&[Code::Unverified]),
                Outcome::Refused if silent => {
                    !got && failed(&[Code::Unverified, Code::Unreachable])
                }
                Outcome::Refused => !got && failed(&[Code::Unverified]),
                Outcome::Unreachable => !got && failed(&[Code::Unreachable]),
                Outcome::Confused => !got && failed(&[Code::Unverified, Code::Unreachable]),
                Outcome::Disturbed => {
                    end == TransferState::Done || failed(&[Code::Unreachable, Code::ConnectionLost])
                }
                Outcome::Arrives => got && end == TransferState::Done,
            };
            assert!(fits, "{variant}: {sending:?}");
        }
        let reports = |node: usize| {
            self.ledger
                .unverified
                .iter()
                .filter(|(by, _)| *by == node)
                .count()
        };
        let sender = sendings[0].from.node;
        let other = match variant {
            Variant::Divert | Variant::SwapCards => 2,
            _ => 1 - sender,
        };
        account.by_sender = usize::from(reports(sender) > 0);
        account.by_other = usize::from(reports(other) > 0);
        let all = (0..self.nodes.len()).map(reports).sum::<usize>();
        match outcome {
            Outcome::Unverified if untold => assert!(all > 0),
            Outcome::Unverified => assert_eq!((account.by_sender, account.by_other), (1, 1)),
            Outcome::Refused if silent => assert!(all > 0),
            Outcome::Refused => assert_eq!((account.by_sender, account.by_other), (1, 1)),
            Outcome::Mirrored => {
                assert!(reports(0) >= 2 && reports(0) == all, "{all}");
            }
            Outcome::Confused => assert_eq!(reports(0), all),
            Outcome::Unreachable | Outcome::Disturbed | Outcome::Arrives => assert_eq!(all, 0),
        }
        if outcome == Outcome::Arrives {
            self.check_names(before);
        }
        account
    }

    /// Whatever the server says, a device is called as it calls itself.
    fn check_names(&self, before: usize) {
        for sending in &self.ledger.sendings[before..] {
            let (from, to) = (sending.from.node, sending.to);
            let received = &self.nodes[to].snapshot;
            let sent = &self.nodes[from].snapshot.transfers;
            let names = received.items.iter().map(|item| &item.from.name);
            let names = names.chain(received.transfers.iter().map(|it| &it.device.name));
            let right = [self.card(from).name, self.card(to).name];
            for name in names.chain(sent.iter().map(|it| &it.device.name)) {
                assert!(right.contains(name), "{name} is none of {right:?}");
            }
        }
    }

    /// The server is honest again: nothing is left of the attack, and everybody can send to everybody.
    fn end_attack(&mut self) {
        self.settle_connections();
        self.evil.as_mut().expect("set").rest();
        // What devices were told of each other, they believe until they come back.
        self.kill_server(0);
        self.run_for(100);
        self.start_server(0);
        self.run_while("devices of a dead server", 60_000, |world| {
            world
                .nodes
                .iter()
                .any(|node| !node.snapshot.devices.is_empty())
        });
        self.meet_all();
        let mut sendings = Vec::new();
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                sendings.push(self.send_files(from, to, &[1_000]));
                sendings.push(self.send_item(from, to));
            }
        }
        for sending in sendings {
            assert_eq!(self.await_end(sending), TransferState::Done);
        }
        self.settle();
    }

    fn settle_connections(&mut self) {
        self.run_while("a connection that nobody uses", MOST_MS, |world| {
            world.nodes.iter().any(|node| !node.connections.is_empty())
        });
    }
}
