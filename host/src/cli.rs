//! The command line: one file a command. Everything but `serve`, what it starts (`compile-component`), `migrate`, `backup`, `restore`, `context`, and what
//! `plugin` does to projects and components here, or with registries, speaks to a server's administration API.

mod apply;
mod arguments;
mod backup;
mod client;
mod compile;
mod constraint;
mod context;
mod decisions;
mod export;
mod login;
mod manifest;
mod migrate;
mod node;
mod oci;
mod output;
mod plugin;
mod serve;
mod signatures;
mod signing;
mod table;
mod tenant;
mod token;
mod wait;
mod waiver;

use std::fmt;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::cli::client::Client;
use crate::cli::context::Options;
use crate::cli::output::Output;

/// Multi-tenant SCIM 2.0 service provider whose tenants decide, in sandboxed WebAssembly, which changes may happen.
#[derive(Debug, Parser)]
#[command(name = "scruple", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 fine; 1 not as expected; 2 usage, an unreadable file included; 3 the component is at fault; 4 the server, a \
                          registry or a database refused or is away; 5 this computer failed (the data folder, the network port).";

/// Options of every command.
#[derive(Clone, Debug, Args)]
struct Global {
    /// Address of the server. [env: SCRUPLE_SERVER] [default: that of the context, else http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// Bearer token: the operator's, or one of the tenant. Better given by the environment or a context than here, where
    /// other users of the computer can see it. [env: SCRUPLE_TOKEN] [default: that of the context]
    #[arg(long, global = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Context that `login` has made: server, tenant and token. Named here, it counts before the environment. [env:
    /// SCRUPLE_CONTEXT] [default: the current one]
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Move everything that a server keeps in a file to PostgreSQL.
    ///
    /// The server must be stopped, and its file is not served any more from the moment this begins: so nothing is lost. If it is
    /// interrupted, run it again; it goes on from there. At the end both sides are read again and compared. The data folder
    /// stays, with its keys: tokens and cursors are good as before.
    Migrate(migrate::Migrate),
    /// Make a copy of everything that a server keeps in its file, with its keys; the server may be running.
    ///
    /// The copy is of one moment, and a folder: the database, the key file, the operator's token's hash, and a list of them with their
    /// hashes (backup.json). All of it is checked before it gets its name. Whoever has it can make tokens that the server takes: let
    /// nobody else read it.
    Backup(backup::Backup),
    /// Make a data folder from a backup.
    ///
    /// The folder must be empty, or not there. A server of this folder answers every request as the one that was copied.
    Restore(backup::Restore),
    /// Check a token with its server, and keep it with server and tenant as a context, for later commands.
    Login(login::Login),
    /// Forget the token of a context, the current one if none is named.
    Logout(login::Logout),
    /// List the contexts, choose one, show what counts.
    #[command(subcommand)]
    Context(context::Context),
    /// Make, list and delete tenants (operator).
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// List the servers that work with one database (operator).
    #[command(subcommand)]
    Node(node::Node),
    /// Make, list and revoke a tenant's tokens.
    #[command(subcommand)]
    Token(token::Token),
    /// Write a constraint, build it, run and test it here, sign it, push it, list what was pushed, and have it back.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Put plugin versions to work, list, remove and roll back.
    #[command(subcommand)]
    Constraint(constraint::Constraint),
    /// Make known whose signatures of components can be checked.
    #[command(subcommand)]
    SigningKey(signing::SigningKey),
    /// Require that components are signed, and see which are not.
    #[command(subcommand)]
    SigningPolicy(signing::SigningPolicy),
    /// For a while, have a reason of a constraint not count for somebody; list and take back what does not.
    #[command(subcommand)]
    Waiver(waiver::Waiver),
    /// Upload, show and remove tables: reference data that constraints look into.
    #[command(subcommand)]
    Table(table::Table),
    /// Make a tenant's constraints, tables and waivers as a file says: show what would change, ask, and do it as a whole.
    ///
    /// Components and contents of tables that the server has not are uploaded first, also with `--dry-run`; nothing is in force
    /// by that.
    Apply(apply::Apply),
    /// Write the file that says what a tenant's constraints, tables and waivers are.
    ///
    /// Constraints are pinned to the digests of their components, which the server keeps; with `--components`, to files.
    Export(export::Export),
    /// Read the decision log.
    #[command(subcommand)]
    Decisions(decisions::Decisions),
    /// What a server starts to compile a component that a tenant has sent: reads it from standard input and writes machine
    /// code to standard output. Limits itself first, and is of no use by hand.
    #[command(hide = true)]
    CompileComponent(compile::CompileComponent),
}

/// The tenant a command is about.
#[derive(Debug, Args)]
struct TenantArg {
    /// The tenant. [env: SCRUPLE_TENANT] [default: that of the context]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// Why a command did not succeed.
#[derive(Debug)]
enum Failure {
    /// A test came out otherwise than expected.
    Unexpected(String),
    /// What was asked makes no sense.
    Usage(String),
    /// A component is at fault.
    Component(String),
    /// The server refused or is away.
    Server(String),
    /// A file, a port, the terminal.
    Local(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Unexpected(_) => 1,
            Self::Usage(_) => 2,
            Self::Component(_) => 3,
            Self::Server(_) => 4,
            Self::Local(_) => 5,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(text)
            | Self::Usage(text)
            | Self::Component(text)
            | Self::Server(text)
            | Self::Local(text) => f.write_str(text),
        }
    }
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    if let Command::CompileComponent(compile) = &cli.command {
        return compile.run();
    }
    let output = Output::new(cli.global.json);
    match dispatch(&cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure.to_string());
            ExitCode::from(failure.code())
        }
    }
}

impl Global {
    fn options(&self) -> Options {
        let Self { server, token, context, json: _ } = self.clone();
        Options { server, token, context, tenant: None }
    }
}

fn dispatch(cli: &Cli, output: &Output) -> Result<(), Failure> {
    let options = cli.global.options();
    match &cli.command {
        Command::Serve(serve) => return serve.run(),
        Command::Migrate(migrate) => return migrate.run(output),
        Command::Backup(backup) => return backup.run(output),
        Command::Restore(restore) => return restore.run(output),
        Command::Logout(logout) => return logout.run(&options, output),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Local(format!("cannot start a runtime: {error}")))?;
    let client = Client::new(options.clone())?;
    runtime.block_on(async {
        match &cli.command {
            Command::Serve(_)
            | Command::Migrate(_)
            | Command::Backup(_)
            | Command::Restore(_)
            | Command::CompileComponent(_)
            | Command::Logout(_) => Ok(()),
            Command::Context(command) => command.run(&client, &options, output).await,
            Command::Login(login) => login.run(options, output).await,
            Command::Tenant(command) => command.run(&client, output).await,
            Command::Node(command) => command.run(&client, output).await,
            Command::Token(command) => command.run(&client, output).await,
            Command::Plugin(command) => command.run(&client, output).await,
            Command::Constraint(command) => command.run(&client, output).await,
            Command::SigningKey(command) => command.run(&client, output).await,
            Command::SigningPolicy(command) => command.run(&client, output).await,
            Command::Waiver(command) => command.run(&client, output).await,
            Command::Table(command) => command.run(&client, output).await,
            Command::Apply(command) => command.run(&client, output).await,
            Command::Export(command) => command.run(&client, output).await,
            Command::Decisions(command) => command.run(&client, output).await,
        }
    })
}
