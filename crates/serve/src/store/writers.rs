//! Live stores: a reply in progress whose writer is dead will never be finished.
//!
//! Each open store has a number, its *writer*. While it lives it holds a lock that the operating system (or
//! `PostgreSQL`) takes away when the process dies, however it dies: a locked file `DATABASE-writer-NUMBER` beside
//! `SQLite`'s database, an advisory lock in `PostgreSQL`. Several processes may share a database, and each sees exactly
//! which others are alive.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::{AnyConnection, AnyPool, Row};
use tokio::sync::Mutex;

use super::{Place, Status, Store, StoreError, StoredMessage, ids};

/// This store's number and the lock that shows that it is alive.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub number: i64,
    lock: Arc<Lock>,
}

#[derive(Debug)]
enum Lock {
    /// A database in memory has one writer.
    Alone,
    File {
        database: PathBuf,
        own: PathBuf,
        /// Locked until it is closed.
        _file: File,
    },
    /// The connection holds the advisory lock until it is closed.
    Session(#[expect(dead_code, reason = "held until it is dropped")] Mutex<AnyConnection>),
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Self::File { own, .. } = self {
            // If it is left, the next store that is opened removes it.
            let _ = fs::remove_file(own);
        }
    }
}

impl Writer {
    pub async fn register(place: &Place, pool: &AnyPool) -> Result<Self, StoreError> {
        let number = ids::new_writer();
        let lock = match place {
            Place::Memory => Lock::Alone,
            // One file for a database, by whatever path it was opened.
            Place::File(database) => {
                fs::canonicalize(database).and_then(|path| lock_file(&path, number)).map_err(|error| {
                    StoreError::Open { place: place.shown(), reason: format!("its lock file: {error}") }
                })?
            }
            Place::Postgres(_) => {
                let mut session = pool.acquire().await?.detach();
                sqlx::query("SELECT 1 FROM pg_advisory_lock($1)").bind(number).execute(&mut session).await?;
                Lock::Session(Mutex::new(session))
            }
        };
        Ok(Self { number, lock: Arc::new(lock) })
    }

    /// Whether another store of this number is alive.
    async fn is_alive(&self, other: i64, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        if other == self.number {
            return Ok(true);
        }
        match self.lock.as_ref() {
            Lock::Alone => Ok(false),
            Lock::File { database, .. } => Ok(is_locked(&lock_path(database, other))),
            Lock::Session(_) => {
                // The lock is freed at the end of the transaction.
                let free = "SELECT CASE WHEN pg_try_advisory_xact_lock($1) THEN 1 ELSE 0 END AS free";
                let row = sqlx::query(free).bind(other).fetch_one(connection).await?;
                Ok(row.try_get::<i32, _>("free")? == 0)
            }
        }
    }
}

impl Store {
    /// Marks the replies incomplete that dead writers left in progress.
    pub(super) async fn mark_abandoned(&self) -> Result<(), StoreError> {
        if let Lock::File { database, own, .. } = self.writer.lock.as_ref() {
            remove_stale(database, own);
        }
        let found = sqlx::query("SELECT id FROM messages WHERE status = 'in_progress'");
        for row in found.fetch_all(&self.pool).await? {
            let message: String = row.try_get("id")?;
            self.end_abandoned(&mut *self.pool.acquire().await?, &message).await?;
        }
        Ok(())
    }

    /// Marks a reply incomplete if the writer is dead that left it in progress. Returns whether it is in progress no
    /// longer.
    pub(super) async fn end_abandoned(
        &self,
        connection: &mut AnyConnection,
        message: &str,
    ) -> Result<bool, StoreError> {
        let found = sqlx::query("SELECT writer FROM messages WHERE id = $1 AND status = 'in_progress'").bind(message);
        let Some(row) = found.fetch_optional(&mut *connection).await? else { return Ok(true) };
        let writer: Option<i64> = row.try_get("writer")?;
        let writer = writer.ok_or_else(|| StoreError::Corrupt("message in progress without a writer".into()))?;
        if self.writer.is_alive(writer, &mut *connection).await? {
            return Ok(false);
        }
        let mark = "UPDATE messages SET status = 'incomplete', writer = NULL, finish_reason = 'interrupted' \
                    WHERE id = $1 AND status = 'in_progress' AND writer = $2";
        sqlx::query(mark).bind(message).bind(writer).execute(connection).await?;
        Ok(true)
    }

    /// The message of this id; one that a dead writer left in progress is marked incomplete first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has none.
    pub async fn settled(&self, account: &str, id: &str) -> Result<StoredMessage, StoreError> {
        let message = self.message(account, id).await?;
        if message.status != Status::InProgress {
            return Ok(message);
        }
        self.end_abandoned(&mut *self.pool.acquire().await?, id).await?;
        self.message(account, id).await
    }
}

fn lock_path(database: &Path, writer: i64) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(format!("-writer-{writer}"));
    path.into()
}

fn lock_file(database: &Path, number: i64) -> std::io::Result<Lock> {
    let own = lock_path(database, number);
    loop {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&own)?;
        file.lock()?;
        // Another store that was just opened may have taken the file, not yet locked, for a dead one's and removed it.
        if own.exists() {
            return Ok(Lock::File { database: database.to_owned(), own, _file: file });
        }
    }
}

fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_err())
}

/// Removes the lock files of the dead.
fn remove_stale(database: &Path, own: &Path) {
    let prefix = lock_path(database, 0);
    let prefix = prefix.to_string_lossy();
    let prefix = prefix.trim_end_matches('0');
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| folder.join(entry.file_name())) {
        let is_ours = |path: &Path| path.file_name() == own.file_name();
        let name = Path::new(prefix).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let named = path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&name));
        if named && !is_ours(&path) && !is_locked(&path) {
            let _ = fs::remove_file(path);
        }
    }
}
