//! `ui`: a port on this machine that leads to the Flink UI of the running generation.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::situation::Situation;
use super::{Cause, Context, Failure, upgrade};
use crate::cluster::forward::{self, LocalForward};

/// Opens the port-forward; it lives as long as the value that comes back.
pub async fn open(context: &Context, name: &str, port: u16) -> Result<LocalForward, Failure> {
    super::check_release_name(name)?;
    let situation = Situation::read(context, name).await?;
    upgrade::base(context, &situation, name)?;
    let descriptor = situation.descriptor.as_ref().filter(|d| situation.generations.contains(&d.generation));
    let Some(descriptor) = descriptor else {
        return Err(Failure::refused(Cause::Usage(format!("release {name:?} runs no Flink cluster")))
            .next([format!("kubectl flink status {name}")]));
    };
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let (selector, rest) = (&descriptor.job_manager_selector, descriptor.service.port);
    forward::to_selector(&context.cluster, &context.namespace, selector, rest, address).await.map_err(
        |error| Failure::refused(error).next([format!("kubectl flink ui {name} --port 0   # a free port")]),
    )
}
