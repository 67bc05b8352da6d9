//! A database that is filled once and copied for each that needs one of its own.

use tollbook_shim::Dialect;

use crate::{
    contract::Fixture,
    dialect,
    server::{Backend, Data, Server},
};

/// The data of a server that [`Fixture`] filled. It has stopped: nobody uses them.
pub struct Filled {
    data: Data,
    password: String,
    dialect: Dialect,
}

/// A server on a copy of its own.
pub struct Copy {
    /// The server.
    pub server: Server,
    /// What it holds.
    pub fixture: Fixture,
    // Last, since a server ends before its data.
    _data: Data,
}

impl Filled {
    /// What the contract files of a dialect begin with; none: the backend is not there.
    pub async fn new(backend: Backend, dialect: Dialect) -> Option<Self> {
        let data = Data::new(backend)?;
        let mut server = Server::start_for(&data, dialect);
        Fixture::fill_for(&server, dialect).await;
        let password = server.admin_password.clone();
        assert!(server.stop().success());
        Some(Self { data, password, dialect })
    }

    /// Starts a server on a copy, with a mail server by its URL if there is one.
    pub async fn start(&self, mail_server: Option<&str>) -> Copy {
        let data = self.data.copy();
        let mut environment = vec![("TOLLBOOK_DIALECT", dialect::name(self.dialect))];
        if let Some(url) = mail_server {
            environment.push(("TOLLBOOK_SMTP_URL", url));
            environment.push(("TOLLBOOK_MAIL_FROM", "Billing <billing@example.com>"));
        }
        let server = Server::start_part(&data, "serve", &environment);
        let fixture = Fixture::of(server.log_in("admin", &self.password).await);
        Copy { server, fixture, _data: data }
    }
}
