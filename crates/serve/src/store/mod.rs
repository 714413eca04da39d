//! Conversations in a database: `SQLite` in a file or in memory, or (feature `postgres`) `PostgreSQL`.
//!
//! A [`StoredConversation`] belongs to an *account* (the name of an API key, or [`LOCAL`] without keys). Its messages
//! form a tree: editing a user's message or generating a reply again makes a sibling. The *leaf* is the message that
//! the conversation goes on from; the model reads the path from the root to it. Every function takes the account, and
//! another account's ids are answered as unknown ones are.
//!
//! A reply is stored in two steps: [`Store::begin_reply`] before the first token, [`Store::finish_reply`] when it is
//! complete; [`Store::save_progress`] may save partial text in between. Once `finish_reply` has returned, the reply
//! survives a crash of the process, so tell the client only then. A reply in progress whose writer died is marked
//! incomplete when the database is next opened, or when somebody wants to go on after it.
//!
//! Reading order: `conversations`, `messages`, `writing`, `turns`, `tree`, `responses`, `ratings`, `transfer`,
//! `preferences`.

mod error;
mod ids;
mod written;
mod writers;
mod conversations;
mod variants;
mod rating;
mod messages;
mod writing;
mod turns;
mod tree;
mod responses;
mod ratings;
mod transfer;
mod preferences;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{Any, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection, Executor, SqlSafeStr, SqlStr, Transaction};

pub use conversations::{ConversationChange, ConversationList, ListQuery, NewConversation, StoredConversation};
pub use error::StoreError;
pub use ids::new_id;
pub(crate) use messages::AFTER_CALLS;
pub use messages::{Content, MessagePart, NewMessage, Parent, ReplyOutcome, Role, Status, StoredMessage, Usage};
pub use preferences::{PreferenceExport, Preferences, RatedPair, RatedReply, export_preferences, preferences_of};
pub use rating::{MessageRating, RatingChange, Verdict};
pub use responses::Response;
pub use transfer::{ConversationFile, FILE_OBJECT, FILE_VERSION, MessageFile};
pub use tree::Tree;
pub use turns::{BegunTurn, NewTurn};

/// The account of a server without API keys, and of the terminal.
pub const LOCAL: &str = "local";

/// Longest wait of a writer for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Characters that a readiness check writes: more than a page of `SQLite` has.
const PROBE: usize = 8_000;

/// Stored conversations. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    sqlite: bool,
    writer: writers::Writer,
    /// The file that was opened, if it is one.
    file: Option<OpenedFile>,
}

impl Store {
    /// Opens or creates the database at `place`: a path, `sqlite:PATH`, `:memory:`, or with the feature `postgres` a
    /// `postgres://` URL. Brings its tables up to date, and marks replies incomplete whose writers died.
    ///
    /// # Errors
    /// [`StoreError::Open`] when there is no such folder, no permission, no server, or the file is no database.
    pub async fn open(place: &str) -> Result<Self, StoreError> {
        Self::open_place(Place::of(place)?).await
    }

    /// As [`open`](Self::open), for a database that must already exist.
    ///
    /// # Errors
    /// [`StoreError::Open`] also when there is no such file.
    pub async fn open_existing(place: &str) -> Result<Self, StoreError> {
        let place = Place::of(place)?;
        if let Place::File(path) = &place
            && !path.exists()
        {
            return Err(StoreError::Open { place: place.shown(), reason: "there is no such file".into() });
        }
        Self::open_place(place).await
    }

    async fn open_place(place: Place) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let failed = |reason: String| StoreError::Open { place: place.shown(), reason };
        let pool = place.pool().await.map_err(|error| failed(reason(&error)))?;
        let migrator = Migrator::with_migrations(migrations());
        // Two processes that create the same SQLite file at once: the second finds the tables there.
        if migrator.run(&pool).await.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
            migrator.run(&pool).await.map_err(|error| failed(error.to_string()))?;
        }
        let writer = writers::Writer::register(&place, &pool).await?;
        let file = match &place {
            Place::File(path) => Some(OpenedFile::of(path).map_err(|error| failed(error.to_string()))?),
            Place::Memory | Place::Postgres(_) => None,
        };
        let store = Self { pool, sqlite: !matches!(place, Place::Postgres(_)), writer, file };
        store.mark_abandoned().await?;
        Ok(store)
    }

    /// Closes the connections; stores that are clones of this one can do nothing afterwards.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether the database answers and can be written: for a readiness check. Writes a few pages, and takes them back.
    ///
    /// # Errors
    /// When it does not, as on a full disk, or when its file was deleted or replaced.
    pub async fn ping(&self) -> Result<(), StoreError> {
        if let Some(file) = self.file.as_ref().filter(|file| !file.is_there()) {
            let reason = "the file was deleted or replaced while it was open; restart the server";
            return Err(StoreError::Open { place: file.path.display().to_string(), reason: reason.into() });
        }
        let mut transaction = self.begin().await?;
        let probe = NewConversation { title: "-".repeat(PROBE), unlisted: true, ..NewConversation::default() };
        let probe = conversations::fresh(probe);
        conversations::insert(&mut *transaction, "", &probe).await?;
        sqlx::query("DELETE FROM conversations WHERE id = $1").bind(&probe.id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A transaction that writes. On `SQLite` it takes the write lock at once, so that it cannot fail halfway.
    async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let statement = if self.sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        Ok(self.pool.begin_with(statement).await?)
    }
}

/// A file, and what tells it from another one under its path.
#[derive(Clone, Debug)]
struct OpenedFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl OpenedFile {
    fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }

    /// Whether the path still names it.
    fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|identity| identity == self.identity)
    }
}

/// Device and inode of a file, where the system has them.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    #[cfg(unix)]
    let identity = {
        use std::os::unix::fs::MetadataExt;
        (metadata.dev(), metadata.ino())
    };
    #[cfg(not(unix))]
    let identity = (u64::from(metadata.is_file()), 0);
    Ok(identity)
}

/// Place of a database.
#[derive(Clone, Debug)]
enum Place {
    Memory,
    File(PathBuf),
    Postgres(String),
}

impl Place {
    fn of(place: &str) -> Result<Self, StoreError> {
        let invalid = |reason: &str| StoreError::Open { place: place.to_owned(), reason: reason.to_owned() };
        if place.starts_with("postgres://") || place.starts_with("postgresql://") {
            let built = cfg!(feature = "postgres");
            let hint = "this build has no PostgreSQL; build with --features postgres, or give a file's path";
            return if built { Ok(Self::Postgres(place.to_owned())) } else { Err(invalid(hint)) };
        }
        let path = place.strip_prefix("sqlite://").or_else(|| place.strip_prefix("sqlite:")).unwrap_or(place);
        if path == ":memory:" {
            return Ok(Self::Memory);
        }
        if path.is_empty() {
            return Err(invalid("the path is empty; give a file's path"));
        }
        if path.contains("://") {
            return Err(invalid("give a file's path or a postgres:// URL"));
        }
        let path = Path::new(path);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(invalid("there is no such folder; create it first"));
        }
        if path.is_dir() {
            return Err(invalid("it is a folder; give a file's path"));
        }
        Ok(Self::File(path.to_owned()))
    }

    /// The place for messages, without a password.
    fn shown(&self) -> String {
        match self {
            Self::Memory => ":memory:".into(),
            Self::File(path) => path.display().to_string(),
            Self::Postgres(url) => {
                match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
                    Some((scheme, (_, host))) => format!("{scheme}://…@{host}"),
                    None => url.clone(),
                }
            }
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Memory => "sqlite::memory:".into(),
            Self::File(path) => sqlite_url(path),
            Self::Postgres(url) => url.clone(),
        }
    }

    async fn pool(&self) -> Result<AnyPool, sqlx::Error> {
        let url = self.url();
        // A pool retries until its time limit; a single connection reports errors of the place at once.
        let mut first = AnyConnection::connect(&url).await?;
        if !matches!(self, Self::Postgres(_)) {
            first.execute(pragmas()).await?;
        }
        first.close().await?;
        let options = AnyPoolOptions::new().acquire_timeout(Duration::from_secs(30));
        match self {
            // Each connection to `:memory:` is a separate database, so there is exactly one, which is never closed.
            Self::Memory => {
                let options = options.max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
                on_sqlite(options).connect(&url).await
            }
            Self::File(_) => on_sqlite(options.max_connections(8)).connect(&url).await,
            Self::Postgres(_) => options.max_connections(16).connect(&url).await,
        }
    }
}

fn on_sqlite(options: AnyPoolOptions) -> AnyPoolOptions {
    options
        .after_connect(|connection, _| Box::pin(async move { connection.execute(pragmas()).await.map(|_| ()) }))
        .after_release(|connection, _| Box::pin(is_usable(connection)))
}

/// Whether a connection that comes back is outside of a transaction. Where a disk is full or fails, `SQLite` rolls back
/// by itself; then sqlx cannot, takes the transaction for open, and the connection could never begin another.
async fn is_usable(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    // The roll back of a dropped transaction comes before the answer.
    connection.ping().await?;
    if connection.is_in_transaction() {
        // One that sqlx can roll back, which it does when it refuses a second. Closing would lose a database in memory.
        let _ = connection.execute("BEGIN").await;
        drop(connection.begin_with("BEGIN").await);
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

fn pragmas() -> sqlx::RawSql {
    let millis = BUSY_TIMEOUT.as_millis();
    let pragmas = format!(
        "PRAGMA busy_timeout = {millis}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(pragmas))
}

/// The URL of a path, which may have any characters.
fn sqlite_url(path: &Path) -> String {
    use std::fmt::Write;
    let mut url = String::from("sqlite://");
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => url.push(byte as char),
            _ => write!(url, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    url + "?mode=rwc"
}

fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

/// Every version of the tables, in order. A released one is never changed.
fn migrations() -> Vec<Migration> {
    let versions: [(&str, &'static str); 2] = [
        ("conversations", include_str!("../../migrations/0001_conversations.sql")),
        ("left_out", include_str!("../../migrations/0002_left_out.sql")),
    ];
    let migration = |(index, (name, sql)): (usize, (&'static str, &'static str))| {
        let sql: SqlStr = sql.into_sql_str();
        Migration::new(index as i64 + 1, name.into(), MigrationType::Simple, sql, false)
    };
    versions.into_iter().enumerate().map(migration).collect()
}

#[cfg(test)]
mod tests;
