//! What the command line asks for.

use groundwire::cli::{Args, UsageError};
use groundwire::kv::Revision;
use groundwire::kv::peers::check_address;
use groundwire::raft::NodeId;

/// What is to be done.
pub enum Request {
    /// With keys: any store serves it.
    Data(Data),
    /// With the cluster: only our own store serves it.
    Admin(Admin),
}

/// A request about keys.
pub enum Data {
    Get(String),
    Put(String, String),
    Delete(String),
    Swap(String, Old, String),
    List(String),
    Watch(String),
}

/// What a compare-and-swap expects.
pub enum Old {
    Value(String),
    Revision(Revision),
}

/// A request about the cluster.
pub enum Admin {
    Status,
    Add(NodeId, String),
    Remove(NodeId),
    Transfer(NodeId),
    Snapshot,
}

impl Data {
    /// The command's name.
    pub fn name(&self) -> &'static str {
        match self {
            Data::Get(_) => "get",
            Data::Put(..) => "put",
            Data::Delete(_) => "delete",
            Data::Swap(..) => "cas",
            Data::List(_) => "list",
            Data::Watch(_) => "watch",
        }
    }
}

impl Admin {
    /// The command's name.
    pub fn name(&self) -> &'static str {
        match self {
            Admin::Status => "status",
            Admin::Add(..) => "add-node",
            Admin::Remove(_) => "remove-node",
            Admin::Transfer(_) => "transfer",
            Admin::Snapshot => "snapshot",
        }
    }
}

/// Options that belong to one command each.
const OF: [(&str, &str); 7] = [
    ("raw", "get"),
    ("absent", "cas"),
    ("if-revision", "cas"),
    ("from", "watch"),
    ("count", "watch"),
    ("learner", "add-node"),
    ("json", "status"),
];

/// Reads the operands.
pub fn read(args: &Args) -> Result<Request, UsageError> {
    let command = args.operand(0, "COMMAND")?;
    if let Some((option, of)) = OF
        .iter()
        .find(|(option, of)| args.given(option) && *of != command)
    {
        let why = format!("--{option} belongs to {of}");
        return Err(UsageError::rule(why));
    }
    let text = |index, name| args.operand(index, name).map(str::to_string);
    let prefix = || {
        args.operand_opt(1, "PREFIX")
            .map(|prefix| prefix.unwrap_or("").to_string())
    };
    let (request, operands) = match command {
        "get" => (Request::Data(Data::Get(text(1, "KEY")?)), 2),
        "put" => (
            Request::Data(Data::Put(text(1, "KEY")?, text(2, "VALUE")?)),
            3,
        ),
        "delete" => (Request::Data(Data::Delete(text(1, "KEY")?)), 2),
        "cas" => return swap(args).map(Request::Data),
        "list" => (Request::Data(Data::List(prefix()?)), 2),
        "watch" => (Request::Data(Data::Watch(prefix()?)), 2),
        "status" => (Request::Admin(Admin::Status), 1),
        "add-node" => {
            let (node, address) = (node(args)?, text(2, "HOST:PORT")?);
            check_address(&address).map_err(UsageError::rule)?;
            (Request::Admin(Admin::Add(node, address)), 3)
        }
        "remove-node" => (Request::Admin(Admin::Remove(node(args)?)), 2),
        "transfer" => (Request::Admin(Admin::Transfer(node(args)?)), 2),
        "snapshot" => (Request::Admin(Admin::Snapshot), 1),
        other => return Err(UsageError::bad_value("COMMAND", other, "no such command")),
    };
    args.at_most(operands)?;
    Ok(request)
}

fn swap(args: &Args) -> Result<Data, UsageError> {
    let revision = args.parse_opt::<Revision>("if-revision")?;
    let (old, new) = match (args.flag("absent"), revision) {
        (true, Some(_)) => {
            return Err(UsageError::rule(
                "--absent and --if-revision exclude each other",
            ));
        }
        (true, None) => (Old::Revision(0), 2),
        (false, Some(revision)) => (Old::Revision(revision), 2),
        (false, None) => (Old::Value(args.operand(2, "OLD")?.into()), 3),
    };
    args.at_most(new + 1)?;
    let (key, new) = (args.operand(1, "KEY")?, args.operand(new, "NEW")?);
    if matches!(&old, Old::Value(old) if old == "-") && new == "-" {
        return Err(UsageError::rule(
            "standard input can be one of OLD and NEW only",
        ));
    }
    Ok(Data::Swap(key.into(), old, new.into()))
}

fn node(args: &Args) -> Result<NodeId, UsageError> {
    match args.parse_operand::<NodeId>(1, "ID")? {
        0 => Err(UsageError::bad_value("ID", 0, "nodes are counted from 1")),
        id => Ok(id),
    }
}
