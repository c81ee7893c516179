//! Quotas: how many requests a project may make in a minute.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;

use crate::runtimeconfig::{ApiError, CallKind, Code};

const WINDOW: Duration = Duration::from_mins(1);

/// How many requests of each kind a project may make in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    writes: u32,
    watches: u32,
    reads: u32,
}

impl FromStr for Quotas {
    type Err = &'static str;

    /// `WRITES,WATCHES,READS`
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Option<Vec<u32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[writes, watches, reads]) => Ok(Self { writes, watches, reads }),
            _ => Err("expected three numbers, for example `1200,600,6000`"),
        }
    }
}

/// What was asked for in this minute.
#[derive(Debug)]
pub(super) struct Count {
    quotas: Quotas,
    began: Instant,
    /// By project and kind; as many as there are requests in a minute.
    made: HashMap<(String, CallKind), u32>,
}

impl Count {
    pub(super) fn new(quotas: Quotas) -> Self {
        Self { quotas, began: Instant::now(), made: HashMap::new() }
    }

    /// Counts a request, unless there were enough of its kind.
    pub(super) fn take(&mut self, project: &str, kind: CallKind, now: Instant) -> Result<(), ApiError> {
        if now.duration_since(self.began) >= WINDOW {
            self.began = now;
            self.made.clear();
        }
        let (max, name) = match kind {
            CallKind::Write => (self.quotas.writes, "write"),
            CallKind::Watch => (self.quotas.watches, "watch"),
            CallKind::Read => (self.quotas.reads, "read"),
        };
        let made = self.made.entry((project.to_owned(), kind)).or_default();
        if *made >= max {
            let message =
                format!("Quota exceeded for {name} requests per minute of project `{project}`: {max}");
            return Err(ApiError { message, ..Code::ResourceExhausted.into() });
        }
        *made += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_so_many_requests_of_each_kind_in_a_minute() {
        let mut count = Count::new("2,1,0".parse().expect("quotas"));
        let begin = count.began;
        let mut take = |project: &str, kind, seconds| {
            let taken = count.take(project, kind, begin + Duration::from_secs(seconds));
            taken.map_err(|error| (error.code, error.message))
        };
        assert_eq!(take("p", CallKind::Write, 0), Ok(()));
        assert_eq!(take("p", CallKind::Write, 1), Ok(()));
        let message = "Quota exceeded for write requests per minute of project `p`: 2";
        assert_eq!(take("p", CallKind::Write, 59), Err((Code::ResourceExhausted, message.to_owned())));
        assert_eq!((take("q", CallKind::Write, 59), take("p", CallKind::Watch, 59)), (Ok(()), Ok(())));
        assert!(take("p", CallKind::Watch, 59).is_err() && take("p", CallKind::Read, 59).is_err());
        assert_eq!((take("p", CallKind::Write, 60), take("p", CallKind::Watch, 61)), (Ok(()), Ok(())));
        for wrong in ["", "1,2", "1,2,x", "1,2,3,4", "-1,2,3"] {
            assert!(wrong.parse::<Quotas>().is_err(), "`{wrong}`");
        }
    }
}
