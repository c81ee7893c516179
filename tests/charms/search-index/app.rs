//! An index that is built in the background, with its progress in the status.

use std::time::Duration;

use charms_reactive::operation;
use charms_reactive::prelude::*;

use super::index::{Folders, Index, build};
use names::{Config, actions, metadata, options};

/// What `metadata.yaml`, `config.yaml` and `actions.yaml` say, as items.
mod names {
    charms_reactive::charm!("metadata.yaml");
}

/// Builds the index; takes its time.
pub(crate) const REINDEX: OperationKey = OperationKey::new("reindex");

/// The whole charm: what runs, and when.
pub(crate) fn app() -> App {
    App::new(metadata())
        .work(REINDEX, build)
        .wake_for_progress(REINDEX, Duration::from_secs(5))
        .handler(reindex, any([options::FOLDER.changed(), options::INDEX.changed()]))
        .handler(show_progress, when(REINDEX.running()))
        .handler(publish, when(REINDEX.success()))
        .handler(complain, any([REINDEX.failure(), REINDEX.cancelled()]))
        .action(actions::OPERATIONS, operation::list)
        .action(actions::CANCEL, operation::cancel)
        .action(actions::REINDEX, reindex_again)
}

/// Has the folder indexed; what was begun for another one stops.
fn reindex(hook: &mut Hook) -> Result<(), HandlerError> {
    let Config { folder, index, pause } = hook.config()?;
    if folder.is_empty() || index.is_empty() {
        hook.operation(REINDEX).cancel("there is no folder any more");
        hook.operation(REINDEX).forget();
        hook.status(Blocked("no folder: set the options `folder` and `index`"));
        return Ok(());
    }
    hook.operation(REINDEX).replace(Folders { folder, index, pause: pause.try_into()? })?;
    Ok(())
}

fn reindex_again(hook: &mut Hook, _: actions::Reindex) -> Result<(), HandlerError> {
    reindex(hook)
}

/// Says how far it is.
fn show_progress(hook: &mut Hook) -> Result<(), HandlerError> {
    let progress = hook.operation(REINDEX).progress();
    let text = progress.map_or_else(|| "Indexing".to_owned(), |progress| progress.to_string());
    hook.status(Maintenance(text));
    Ok(())
}

/// Says what there is now, once for each index.
fn publish(hook: &mut Hook) -> Result<(), HandlerError> {
    let operation = hook.operation(REINDEX);
    let Index { documents, words } = operation.result()?;
    log::info!("{documents} documents are indexed");
    hook.status(Active(format!("{documents} documents, {words} words")));
    operation.forget();
    Ok(())
}

/// Says why there is no new index, until somebody has it built.
fn complain(hook: &mut Hook) -> Result<(), HandlerError> {
    let reason = hook.operation(REINDEX).error().unwrap_or_default();
    hook.status(Blocked(format!("no index: {reason}; the action `reindex` tries again")));
    Ok(())
}
