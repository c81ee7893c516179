//! What kind of work an operation is, and how far it has come.

/// What kind of work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Runs once; ends when the work ends.
    Task,
    /// Runs, and clients connect to it.
    Websocket,
    /// Runs nothing: it stands until it is cancelled, that is used up or withdrawn.
    Token,
    /// Runs again when the process that ran it has died; so the work must bear that.
    Durable,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Task, Self::Websocket, Self::Token, Self::Durable];

    /// LXD's number.
    pub fn number(self) -> u8 {
        match self {
            Self::Task => 1,
            Self::Websocket => 2,
            Self::Token => 3,
            Self::Durable => 4,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Websocket => "websocket",
            Self::Token => "token",
            Self::Durable => "durable",
        }
    }

    /// The class of this name.
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }

    /// Whether an operation of this class runs something of its own, or may have children that do.
    pub fn has_work(self) -> bool {
        self != Self::Token
    }

    /// Whether it can have children, and be one.
    pub fn is_family(self) -> bool {
        matches!(self, Self::Task | Self::Durable)
    }
}

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Its turn has not come.
    Pending,
    /// It runs.
    Running,
    /// It was told to stop, and has not stopped.
    Cancelling,
    /// It did what it was for.
    Success,
    /// It did not.
    Failure,
    /// It stopped because it was told to.
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Cancelling, Self::Success, Self::Failure, Self::Cancelled];

    /// LXD's number: 200 and above is the end.
    pub fn code(self) -> u16 {
        match self {
            Self::Running => 103,
            Self::Cancelling => 104,
            Self::Pending => 105,
            Self::Success => 200,
            Self::Failure => 400,
            Self::Cancelled => 401,
        }
    }

    /// The status of this number.
    pub fn of(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// The word for it, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Cancelling => "Cancelling",
            Self::Success => "Success",
            Self::Failure => "Failure",
            Self::Cancelled => "Cancelled",
        }
    }

    /// The name of its list.
    pub fn key(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        self.code() >= 200
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_lxd() {
        let statuses = Status::ALL.map(|status| (status.as_str(), status.code(), status.is_final()));
        let expected = [
            ("Pending", 105, false),
            ("Running", 103, false),
            ("Cancelling", 104, false),
            ("Success", 200, true),
            ("Failure", 400, true),
            ("Cancelled", 401, true),
        ];
        assert_eq!(statuses, expected);
        let classes = Class::ALL.map(|class| (class.number(), class.as_str()));
        assert_eq!(classes, [(1, "task"), (2, "websocket"), (3, "token"), (4, "durable")]);
    }

    #[test]
    fn words_and_numbers_are_read_back() {
        for status in Status::ALL {
            assert_eq!(Status::of(status.code()), Some(status));
            assert_eq!(status.key(), status.as_str().to_lowercase());
        }
        for class in Class::ALL {
            assert_eq!(Class::of(class.as_str()), Some(class));
        }
        assert_eq!((Status::of(100), Class::of("Task")), (None, None));
    }
}
