//! The store of a cluster: several servers on one etcd have one truth.
//!
//! All commits are in one order.  Each names the one before it, under the key `head`, and is a transaction
//! that etcd does only while that is the last one.  So a server decides on nothing but what is so; where
//! another was faster, it takes over what that one has decided, and does its calls again.  Deadlines need no
//! more: whoever is there commits the end of a waiter, and one of them is first.
//!
//! ```text
//!   head            {"id", "before", "changes"}    the last commit, whose changes others read from a watch
//!   journal/ID/N    the changes of one that is too large for a transaction, while it is carried out
//!   config/UID, variable/UID/PATH, waiter/UID/NAME, request/LIST/ID      what is, for those who begin
//! ```
//!
//! A large commit is there with its journal, as one: whoever commits next, or begins, carries it out first.

mod follow;
mod gateway;
mod head;
mod plan;
mod record;
mod tls;
mod user;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::follow::Follower;
use self::gateway::{Gateway, Trouble, decoded, integer};
use self::head::Head;
use self::plan::{BYTES_MAX, Keys, Operation, encoded, operations};
use super::{Change, Kept, News, Snapshot, Store, StoreError, Wake};

pub use gateway::{Endpoint, EndpointError};
pub use tls::{EtcdTls, EtcdTlsError};
pub use user::EtcdUser;

/// How many records are read at once, to begin with.
const PAGE: usize = 1000;
/// How many bytes of records are read at once, about: each page costs etcd a look at all that follow.
const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// How often reading begins anew because etcd is compacted meanwhile.
const LOADS_MAX: usize = 5;
/// How long to wait for a commit that is known to be there, and how often, before another member is asked.
const WAIT: Duration = Duration::from_secs(1);
const WAITS_MAX: usize = 5;

/// Keeps changes in etcd, below a prefix, together with other servers.
///
/// # Guarantees
///
/// A commit that returned is on the disks of most members.  Whoever commits has known everything.
pub struct Etcd {
    runtime: Runtime,
    gateway: Gateway,
    keys: Keys,
    /// Tells the commits of this server from those of others.
    server: String,
    commits: u64,
    /// The last commit that is known here; 0 while there is none.
    known: i64,
    /// One that was in the way, when it is behind `known`; or only its revision.
    ahead: Option<Head>,
    goal: i64,
    /// Etcd is not what is known of it: all is to be read again.
    is_lost: bool,
    /// The commit that was overtaken last.
    overtaken: String,
    /// It was done before that, and the answer was lost: whoever asked must not be told that it was not.
    is_doubtful: bool,
    unfinished: Option<Unfinished>,
    follower: Option<Follower>,
    wake: Option<Arc<Wake>>,
}

/// A commit whose journal is to be carried out.
struct Unfinished {
    id: String,
    /// How many operations are done.
    done: usize,
    changes: Vec<Change>,
}

impl std::fmt::Debug for Etcd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Etcd").field("keys", &self.keys).field("known", &self.known).finish_non_exhaustive()
    }
}

impl Etcd {
    /// A store at the members of one etcd, below a prefix that nobody else uses.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the system refuses, or certificates cannot be used; whether etcd is there is found when it is asked.
    pub fn new(mut members: Vec<Endpoint>, prefix: &str, tls: Option<&EtcdTls>) -> Result<Self, StoreError> {
        if members.is_empty() {
            return Err(StoreError::Unreachable("none is named".to_owned()));
        }
        if tls.is_none()
            && let Some(member) = members.iter().find(|member| member.is_tls)
        {
            return Err(StoreError::Unreachable(format!(
                "nobody says whose certificates to trust for {member}"
            )));
        }
        let tls = tls.map(EtcdTls::config).transpose()?;
        // Seeded by the system.
        let chance = std::hash::RandomState::new().build_hasher().finish();
        // Not all servers begin with the same member.
        let first = usize::try_from(chance % 1000).unwrap_or(0) % members.len();
        members.rotate_left(first);
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            gateway: Gateway::new(members, tls),
            keys: Keys(prefix.to_owned()),
            server: format!("{chance:016x}"),
            commits: 0,
            known: 0,
            ahead: None,
            goal: 0,
            is_lost: true,
            overtaken: String::new(),
            is_doubtful: false,
            unfinished: None,
            follower: None,
            wake: None,
        })
    }

    /// The same, as a user of etcd.
    #[must_use]
    pub fn user(self, user: EtcdUser) -> Self {
        Self { gateway: self.gateway.user(user), ..self }
    }

    fn ask(&mut self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.runtime.block_on(self.gateway.ask(path, body))
    }

    fn head_range(&self) -> Value {
        json!({"key": encoded(&self.keys.head())})
    }

    /// The head in the answer to a range; None before the first commit.
    fn read_head(range: &Value) -> Result<Option<Head>, StoreError> {
        let head = range["kvs"].as_array().and_then(|pairs| pairs.first()).map(Head::read);
        head.transpose().map_err(|why| StoreError::Row { table: "head", reason: why.0 })
    }

    /// Does operations, with the head that says so, if `known` is the last commit.
    fn transact(&mut self, id: &str, head: &Value, operations: &[Operation]) -> Result<(), StoreError> {
        let put = Operation::put(self.keys.head(), head);
        let success: Value = std::iter::once(&put).chain(operations).map(Operation::to_json).collect();
        let body = json!({
            "compare": [{"key": encoded(&self.keys.head()), "target": "MOD", "result": "EQUAL",
                         "mod_revision": self.known.to_string()}],
            "success": success,
            "failure": [{"request_range": self.head_range()}],
        });
        let answer = self.ask("/v3/kv/txn", &body)?;
        if answer["succeeded"] == true {
            self.know(integer(&answer["header"]["revision"]));
            return Ok(());
        }
        match Self::read_head(&answer["responses"][0]["response_range"])? {
            // Done before, and the answer was lost.
            Some(head) if head.id == id => {
                self.know(head.revision);
                Ok(())
            }
            head => {
                id.clone_into(&mut self.overtaken);
                Err(self.fall_behind(head))
            }
        }
    }

    fn know(&mut self, revision: i64) {
        self.known = revision;
        if let Some(follower) = &self.follower {
            follower.know(revision);
        }
    }

    /// Notes what was in the way.
    fn fall_behind(&mut self, head: Option<Head>) -> StoreError {
        match head {
            Some(head) if head.revision > self.known => {
                self.goal = head.revision;
                self.ahead = (head.before == self.known && head.is_commit()).then_some(head);
            }
            // Somebody has gone back to an earlier state of etcd, or has dropped everything.
            _ => self.is_lost = true,
        }
        StoreError::Overtaken
    }

    fn new_id(&mut self) -> String {
        self.commits += 1;
        format!("{}:{}", self.server, self.commits)
    }

    /// Writes a journal, part by part, and the head that makes a commit of it.
    fn commit_large(&mut self, id: &str, changes: &[Change]) -> Result<(), StoreError> {
        let mut rest = changes;
        let mut number = 0;
        while !rest.is_empty() {
            let mut bytes = 0;
            let sizes = rest.iter().map(|change| record::write(change).to_string().len());
            let count = sizes.take_while(|size| {
                bytes += size;
                bytes <= BYTES_MAX
            });
            let count = count.count();
            if count == 0 {
                return Err(StoreError::TooLarge { bytes });
            }
            let (part, after) = rest.split_at(count);
            let (key, value) = (self.keys.part(id, number), head::list(part).to_string());
            self.ask("/v3/kv/put", &json!({"key": encoded(&key), "value": encoded(&value)}))?;
            (rest, number) = (after, number + 1);
        }
        let head = head::journal_body(id, self.known, id, 0);
        if let Err(error) = self.transact(id, &head, &[]) {
            // Parts that stay go with the next journal.
            let keys = self.keys.parts(id);
            let drop_all = json!({"key": encoded(&keys.start), "range_end": encoded(&keys.end)});
            if matches!(error, StoreError::Overtaken) {
                self.ask("/v3/kv/deleterange", &drop_all)?;
            }
            return Err(error);
        }
        // Kept; whatever happens now, somebody carries it out.
        self.unfinished = Some(Unfinished { id: id.to_owned(), done: 0, changes: changes.to_vec() });
        if let Err(error) = self.finish() {
            log::warn!("a large commit is not carried out yet: {error}");
        }
        Ok(())
    }

    /// Carries out the rest of a journal.
    fn finish(&mut self) -> Result<(), StoreError> {
        let Some(Unfinished { id: journal, mut done, changes }) = self.unfinished.take() else {
            return Ok(());
        };
        let all = operations(&self.keys, &changes);
        loop {
            let rest = all.get(done..).unwrap_or_default();
            let count = plan::next(rest);
            let mut step = rest[..count].to_vec();
            let id = self.new_id();
            let is_last = count == rest.len();
            let head = if is_last {
                // With all that others have left: no other journal is being written, or it will be overtaken.
                step.push(Operation::DropAll { keys: self.keys.kind("journal") });
                head::body(&id, self.known, &[])
            } else {
                head::journal_body(&id, self.known, &journal, done + count)
            };
            if let Err(error) = self.transact(&id, &head, &step) {
                self.unfinished = Some(Unfinished { id: journal, done, changes });
                return Err(error);
            }
            if is_last {
                return Ok(());
            }
            done += count;
        }
    }

    /// Takes over what the follower has found; waits for it where it is known to come.  Gives why it does not.
    fn hear(&mut self, all: &mut Vec<News>) -> Option<String> {
        let follower = self.follower.take()?;
        let mut heads = Vec::new();
        let mut trouble = None;
        let limit = if self.goal > self.known { WAIT } else { Duration::ZERO };
        follower.wait(limit, |found| {
            heads.extend(found.heads.drain(..));
            self.is_lost |= found.is_lost;
            trouble = found.trouble.take();
            let last = heads.last().map_or(self.known, |head: &Head| head.revision);
            (last >= self.goal || self.is_lost || trouble.is_some()).then_some(())
        });
        self.follower = Some(follower);
        self.learn_all(heads, all);
        trouble
    }

    fn learn_all(&mut self, heads: impl IntoIterator<Item = Head>, all: &mut Vec<News>) {
        for head in heads {
            if head.revision <= self.known || self.is_lost {
                continue;
            }
            if head.before != self.known {
                log::warn!("everything is read anew: a commit is missing");
                self.is_lost = true;
                continue;
            }
            match self.learn(head) {
                Ok(news) => all.extend(news),
                Err(error) => {
                    log::warn!("everything is read anew: {error}");
                    self.is_lost = true;
                }
            }
        }
    }

    /// What a commit of others, the next one, has changed.
    fn learn(&mut self, head: Head) -> Result<Option<News>, StoreError> {
        let changes = match (head.journal, &mut self.unfinished) {
            (None, unfinished) => {
                *unfinished = None;
                head.changes
            }
            (Some((id, 0)), _) => {
                let changes = self.journal(&id, head.revision)?;
                self.unfinished = Some(Unfinished { id, done: 0, changes: changes.clone() });
                changes
            }
            (Some((id, done)), Some(unfinished)) if unfinished.id == id => {
                unfinished.done = done;
                Vec::new()
            }
            (Some(_), _) => return Err(StoreError::Refused("a journal has no beginning".to_owned())),
        };
        self.know(head.revision);
        self.is_doubtful |= self.overtaken == head.id;
        Ok((!changes.is_empty()).then_some(News::Changes(changes)))
    }

    /// The changes of a journal, as they were at a revision.
    fn journal(&mut self, id: &str, revision: i64) -> Result<Vec<Change>, StoreError> {
        let wrong = |why: record::Unreadable| StoreError::Row { table: "journal", reason: why.0 };
        let mut all = Vec::new();
        loop {
            let key = self.keys.part(id, all.len());
            let body = json!({"key": encoded(&key), "revision": revision.to_string()});
            let answer = self.ask("/v3/kv/range", &body)?;
            let Some(pair) = answer["kvs"].as_array().and_then(|pairs| pairs.first()) else { break };
            let text = decoded(&pair["value"]).unwrap_or_default();
            let value = serde_json::from_str(&text).map_err(|error| wrong(error.into()))?;
            all.push(head::changes(&value).map_err(wrong)?);
        }
        Ok(all.concat())
    }

    /// All records of a kind as they were at a revision.
    fn records(&mut self, kind: &'static str, revision: i64, all: &mut Vec<Change>) -> Result<(), Trouble> {
        let keys = self.keys.kind(kind);
        let mut from = keys.start;
        let mut page = PAGE;
        let mut page_max = usize::MAX;
        loop {
            let body = json!({"key": encoded(&from), "range_end": encoded(&keys.end), "limit": page,
                              "revision": revision.to_string(), "serializable": false});
            let answer = match self.runtime.block_on(self.gateway.page(&body)) {
                // Too much for one message.
                Err(Trouble::Refused { code: 8, .. }) if page > 1 => {
                    page /= 2;
                    page_max = page;
                    continue;
                }
                answer => answer?,
            };
            let mut bytes = 0;
            for pair in answer["kvs"].as_array().into_iter().flatten() {
                let key = decoded(&pair["key"]).unwrap_or_default();
                let value = decoded(&pair["value"]).unwrap_or_default();
                bytes += key.len() + value.len();
                let change =
                    serde_json::from_str(&value).map_err(Into::into).and_then(|value| record::read(&value));
                let change = change.map_err(|why| Trouble::Refused {
                    code: 0,
                    message: format!("`{key}` cannot be read: {}", why.0),
                });
                all.push(change?);
                from = key + "\0";
            }
            if answer["more"] != true {
                return Ok(());
            }
            if bytes < PAGE_BYTES / 2 {
                page = (page * 2).min(page_max);
            } else if bytes > PAGE_BYTES {
                page = (page / 2).max(1);
            }
        }
    }

    fn load_at(&mut self, revision: i64) -> Result<Snapshot, Trouble> {
        let mut changes = Vec::new();
        for kind in ["config", "variable", "waiter", "request"] {
            self.records(kind, revision, &mut changes)?;
        }
        let mut configs = BTreeMap::new();
        let mut requests = Vec::new();
        let orphan =
            |what: &str| Trouble::Refused { code: 0, message: format!("the config of {what} is not there") };
        for change in changes {
            match change {
                Change::PutConfig { uid, name, description, policy } => {
                    let (variables, waiters) = (Vec::new(), Vec::new());
                    configs.insert(uid, (name, Kept { uid, description, policy, variables, waiters }));
                }
                Change::PutVariable { config, path, variable } => {
                    let kept = configs.get_mut(&config).ok_or_else(|| orphan("a variable"))?;
                    kept.1.variables.push((path, variable));
                }
                Change::PutWaiter { config, name, waiter } => {
                    let kept = configs.get_mut(&config).ok_or_else(|| orphan("a waiter"))?;
                    kept.1.waiters.push((name, *waiter));
                }
                Change::PutRequest(request) => requests.push(request),
                // Nothing that is gone is kept.
                _ => {}
            }
        }
        for (_, kept) in configs.values_mut() {
            // As they were made: that is the order in which they end.
            kept.waiters.sort_by_key(|(_, waiter)| waiter.created);
        }
        requests.sort_by_key(|request| request.at);
        Ok(Snapshot { configs: configs.into_values().collect(), requests })
    }
}

impl Store for Etcd {
    fn load(&mut self) -> Result<Snapshot, StoreError> {
        self.follower = None;
        // Until all is read.
        self.is_lost = true;
        for _ in 0..LOADS_MAX {
            let answer = self.ask("/v3/kv/range", &self.head_range())?;
            let head = Self::read_head(&answer)?;
            self.known = head.as_ref().map_or(0, |head| head.revision);
            let revision = integer(&answer["header"]["revision"]);
            if let Some(Head { journal: Some((id, done)), .. }) = head {
                let changes = self.journal(&id, revision)?;
                self.unfinished = Some(Unfinished { id, done, changes });
                match self.finish() {
                    // Another does it.
                    Ok(()) | Err(StoreError::Overtaken) => continue,
                    Err(error) => return Err(error),
                }
            }
            match self.load_at(revision) {
                Ok(snapshot) => {
                    let gateway = self.gateway.another();
                    self.follower =
                        Some(Follower::start(gateway, self.keys.clone(), self.known, self.wake.clone())?);
                    (self.ahead, self.goal, self.is_lost, self.unfinished) = (None, 0, false, None);
                    return Ok(snapshot);
                }
                Err(trouble) if trouble.is_compacted() => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Err(StoreError::Refused("it is compacted faster than it can be read".to_owned()))
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        if std::mem::take(&mut self.is_doubtful) {
            return Err(StoreError::Unreachable("the answer to the last commit was lost".to_owned()));
        }
        if self.is_lost {
            return Err(StoreError::Overtaken);
        }
        if changes.is_empty() {
            let (head, _) = self.runtime.block_on(self.gateway.revisions(&self.keys))?;
            if head == self.known {
                return Ok(());
            }
            let answer = self.ask("/v3/kv/range", &self.head_range())?;
            let head = Self::read_head(&answer)?;
            return Err(self.fall_behind(head));
        }
        self.finish()?;
        let id = self.new_id();
        let all = operations(&self.keys, changes);
        let head = head::body(&id, self.known, changes);
        let bytes = head.to_string().len() + all.iter().map(Operation::bytes).sum::<usize>();
        if plan::next(&all) == all.len() && bytes <= BYTES_MAX {
            self.transact(&id, &head, &all)
        } else {
            self.commit_large(&id, changes)
        }
    }

    fn news(&mut self) -> Result<Vec<News>, StoreError> {
        let mut all = Vec::new();
        let ahead = self.ahead.take().filter(|head| head.before == self.known);
        self.learn_all(ahead, &mut all);
        for _ in 0..WAITS_MAX {
            let trouble = self.hear(&mut all);
            if self.is_lost || self.follower.is_none() {
                return Ok(vec![News::Everything(self.load()?)]);
            }
            if self.known >= self.goal {
                return match trouble {
                    Some(why) if all.is_empty() => Err(StoreError::Unreachable(why)),
                    _ => Ok(all),
                };
            }
            if let Some(follower) = &self.follower {
                follower.turn();
            }
        }
        // What is known so far is to be told all the same.
        if all.is_empty() {
            return Err(StoreError::Unreachable("what others have written does not arrive".to_owned()));
        }
        Ok(all)
    }

    fn on_news(&mut self, wake: Wake) {
        self.wake = Some(Arc::new(wake));
    }
}
