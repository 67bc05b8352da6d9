//! The first start: what a new database gets.

use tollbook_proto::v1 as pb;

use crate::{
    access::{self, Password, tokens},
    changes::{Change, Credential, Origin, Pending},
    clock,
    currencies::{self, Currency},
    devices,
    error::Result,
    ids::{CurrencyId, UserId},
    money::ExchangeRate,
    providers,
    resource::Resource,
    settings::{self, Secret, Settings},
    store::Db,
    users::{self, Role},
};

/// What a new database gets. An existing one stays as it is.
#[derive(Clone, Default)]
pub struct SetUp {
    /// The API secret key of the legacy API, which is then switched on. None: the API
    /// stays off until a key is set.
    pub api_secret_key: Option<String>,
    /// A demo data set, with credentials that everybody knows.
    pub demo: bool,
}

/// How to log in after the first start.
pub struct Credentials {
    /// Login name of the admin.
    pub username: &'static str,
    /// His password.
    pub password: String,
    /// The API secret key, if one was set.
    pub api_secret_key: Option<String>,
    /// A bearer token for gRPC, in the demo.
    pub token: Option<&'static str>,
}

const DEMO_PASSWORD: &str = "admin1";
const DEMO_API_SECRET: &str = "secret";
const DEMO_TOKEN: &str = "tb_demo";

impl Credentials {
    /// The credentials of a new database.
    fn of(set_up: &SetUp) -> Self {
        Self {
            username: "admin",
            password: match set_up.demo {
                true => DEMO_PASSWORD.to_owned(),
                false => hex::encode(rand::random::<[u8; 10]>()),
            },
            api_secret_key: set_up
                .api_secret_key
                .clone()
                // An empty one is none.
                .filter(|key| !key.is_empty())
                .or_else(|| set_up.demo.then(|| DEMO_API_SECRET.to_owned())),
            token: set_up.demo.then_some(DEMO_TOKEN),
        }
    }
}

/// Creates the admin, the default currency and the settings in a new database. Returns
/// nothing where the database is not new.
pub(crate) async fn first_start(db: &Db, set_up: &SetUp) -> Result<Option<Credentials>> {
    if !users::store::none_exist(db).await? {
        if set_up.api_secret_key.as_ref().is_some_and(|key| !key.is_empty()) {
            tracing::info!(
                "the API secret key of this start is not used: the database has settings of its own, \
                 which `tollbook settings` shows and changes"
            );
        }
        return Ok(None);
    }
    if let Some(key) = &set_up.api_secret_key {
        settings::check_api_secret_key(key)?;
    }
    let credentials = Credentials::of(set_up);
    let password = Password::for_new_user(credentials.password.clone(), "").await?;

    let origin = Origin::operator(Credential::FirstStart);
    let mut tx = Pending::begin(db, &origin).await?;
    let currency = Currency {
        id: CurrencyId::DEFAULT,
        code: "USD".to_owned(),
        name: "United States dollar".to_owned(),
        exchange_rate: ExchangeRate::ONE,
        active: true,
        automatic_update: false,
        updated_at: clock::now(),
    };
    currencies::store::insert(&mut tx, &currency).await?;
    let settings = Settings {
        allow_api: credentials.api_secret_key.is_some(),
        api_secret_key: credentials.api_secret_key.clone().and_then(Secret::new),
        ..Settings::default()
    };
    settings::store::write(&mut tx, &settings).await?;
    let is_weak = settings.api_secret_key.as_ref().is_some_and(Secret::is_weak);
    if is_weak && !set_up.demo {
        tracing::warn!(
            "the API secret key is weak, with fewer than 16 characters or 8 different ones: replace it \
             by `tollbook settings api_secret_key=NEW --keep-old-key SECONDS` as soon as the clients can"
        );
    }
    let admin = pb::User {
        username: credentials.username.to_owned(),
        role: pb::Role::Admin.into(),
        first_name: "System".to_owned(),
        last_name: "Admin".to_owned(),
        postpaid: true,
        ..Default::default()
    };
    let admin = users::record::with_defaults(admin, &settings);
    users::store::insert(&mut tx, UserId::ADMIN, Role::Admin, &admin, password.hash()).await?;
    if let Some(token) = credentials.token {
        tokens::insert_known(&mut tx, token, "demo").await?;
    }
    let admin = users::store::get(&mut tx, UserId::ADMIN).await?;
    tx.record(Change::creation(Resource::User(UserId::ADMIN), &admin)?).await?;
    tx.commit(Change::creation(Resource::Settings, &settings.to_proto(&currency.code))?).await?;
    Ok(Some(credentials))
}

/// Seals the secrets in the database with the key of today, and rids its files of what they were
/// before: plain, or sealed with another key.
pub(crate) async fn reseal(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    settings::store::reseal(&mut tx).await?;
    access::keys::store::reseal(&mut tx).await?;
    settings::owners::store::reseal(&mut tx).await?;
    devices::store::reseal(&mut tx).await?;
    providers::store::reseal(&mut tx).await?;
    tx.commit().await?;
    let Some(key) = db.vault().fingerprint() else { return Ok(()) };
    if settings::store::scrubbed_for(db).await?.as_deref() == Some(key) {
        return Ok(());
    }
    match db.scrub(&["settings", "api_keys", "owner_settings", "devices", "providers"]).await {
        Ok(()) => settings::store::set_scrubbed_for(db, key).await,
        // A command beside may hold on to the database, or the disk is full.
        Err(error) => {
            tracing::warn!(
                error = ?error,
                "all secrets are sealed, but the database's files may still hold what they were \
                 before: the next start tries again to clean them"
            );
            Ok(())
        }
    }
}
