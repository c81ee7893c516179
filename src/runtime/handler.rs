//! Handlers: what a charm does, and when.

use crate::Hook;
use crate::condition::Condition;

/// Why a handler could not do its work: any error, or a text.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// What runs for a handler or an action.
pub(crate) type Work = Box<dyn Fn(&mut Hook) -> Result<(), HandlerError>>;

/// A function with a condition.
pub(crate) struct Handler {
    /// The function's name, for logs and errors.
    pub(crate) name: &'static str,
    /// What it is remembered by: the name, and a number where a charm has several of that name.
    pub(crate) key: String,
    pub(crate) condition: Condition,
    pub(crate) run: Work,
}

/// The name of a function's type without the path to it: `register` for `my_charm::register`.
pub(crate) fn short_name<T>(_: &T) -> &'static str {
    let path = std::any::type_name::<T>();
    let name = path.trim_end_matches("::{{closure}}");
    name.rsplit("::").next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish() {}

    #[test]
    fn a_handler_is_called_what_its_function_is_called() {
        assert_eq!(short_name(&publish), "publish");
        assert_eq!(short_name(&|| ()), "a_handler_is_called_what_its_function_is_called");
    }
}
