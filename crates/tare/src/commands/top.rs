use crate::cx::Cx;
use crate::error::Outcome;
use crate::output::{self, escape, table};

/// Display the running processes of a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    // Everything after the container is for ps.
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    container_and_options: Vec<String>,
}

/// How wide Docker makes the columns at least.
const WIDTH: usize = 20;

pub(crate) async fn run(args: Args, cx: &Cx) -> Outcome {
    let [container, options @ ..] = args.container_and_options.as_slice() else {
        return Ok(0);
    };
    let client = cx.client().await?;
    let top = client
        .containers()
        .top(container, &options.join(" "))
        .await?;
    let mut rows = vec![top.titles];
    rows.extend(top.processes);
    for cell in rows.iter_mut().flatten() {
        *cell = escape::cell(cell).into_owned();
    }
    output::text(&table::render_wide(&rows, WIDTH))?;
    Ok(0)
}
