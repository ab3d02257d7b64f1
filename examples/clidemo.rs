fn main() {
    match lbproxy::cli::parse(std::env::args_os(), 1024) {
        Ok(lbproxy::cli::Command::Print { text, warnings }) => {
            for w in warnings {
                eprintln!("warning: {w}")
            }
            print!("{text}")
        }
        Ok(c) => println!("{c:#?}"),
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(2)
        }
    }
}
