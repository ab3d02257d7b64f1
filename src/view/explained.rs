//! Which backend a client would get, as `/explain` gives it and as a terminal shows it.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// For one client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Its address.
    pub client: String,
    /// What each worker would do: the kernel says which one it comes to.
    pub workers: Vec<Choice>,
}

/// What a worker would choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Its number.
    pub worker: usize,
    /// Where the client comes in.
    pub frontend: String,
    /// The pool it is sent to.
    pub pool: String,
    /// The policy's name.
    pub policy: String,
    /// What its scores are.
    pub score_is: String,
    /// How it came to that, in a sentence.
    pub how: String,
    /// The backend that the client would get.
    pub backend: Option<String>,
    /// All of the pool.
    pub candidates: Vec<Candidate>,
}

/// A backend in such a choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Its weight.
    pub weight: u32,
    /// Connections now; in HTTP mode, requests in flight.
    pub in_flight: u32,
    /// What the policy goes by; `None` if it knows nothing yet.
    pub score: Option<f64>,
    /// Why it was not asked.
    pub skipped: Option<String>,
}

impl Display for Explained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut told: Vec<&Choice> = Vec::new();
        for choice in &self.workers {
            let same = |other: &&Choice| Choice { worker: choice.worker, ..(*other).clone() } == *choice;
            if told.iter().any(same) {
                continue;
            }
            told.push(choice);
            let workers: Vec<String> = self
                .workers
                .iter()
                .filter(|other| same(other))
                .map(|other| other.worker.to_string())
                .collect();
            if told.len() > 1 {
                writeln!(f)?;
            }
            if self.workers.len() > 1 {
                let noun = if workers.len() > 1 { "workers" } else { "worker" };
                writeln!(f, "{noun} {}:", workers.join(", "))?;
            }
            self.show(choice, f)?;
        }
        Ok(())
    }
}

impl Explained {
    fn show(&self, choice: &Choice, f: &mut Formatter<'_>) -> fmt::Result {
        let Choice { frontend, pool, policy, .. } = choice;
        let backend = choice.backend.as_deref().unwrap_or("no backend");
        writeln!(f, "{} gets {backend}: {}", self.client, choice.how)?;
        writeln!(f, "(frontend {frontend}, pool {pool}, policy {policy}; the score is {})", choice.score_is)?;
        let mut rows =
            vec![["", "backend", "address", "weight", "in flight", "score", ""].map(str::to_owned)];
        rows.extend(choice.candidates.iter().map(|one| {
            let chosen = choice.backend.as_ref() == Some(&one.name);
            [
                if chosen { ">" } else { "" }.to_owned(),
                one.name.clone(),
                one.address.clone(),
                one.weight.to_string(),
                one.in_flight.to_string(),
                one.score.map_or_else(|| "-".to_owned(), short),
                one.skipped.as_ref().map_or(String::new(), |why| format!("skipped: {why}")),
            ]
        }));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 7] = std::array::from_fn(width);
        for row in &rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                match column {
                    3..=5 => line.push_str(&format!("{cell:>width$}  ")),
                    _ => line.push_str(&format!("{cell:<width$}  ")),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A number that fits into a table.
fn short(score: f64) -> String {
    match score {
        score if score.abs() >= 1e9 => format!("{score:.3e}"),
        score if score == score.trunc() => format!("{score:.0}"),
        score => format!("{score:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(backends: &[Option<&str>]) -> Explained {
        let candidate = |name: &str, score, skipped: Option<&str>| Candidate {
            name: name.into(),
            address: "10.0.0.1:80".into(),
            weight: 1,
            in_flight: 12,
            score,
            skipped: skipped.map(str::to_owned),
        };
        let choice = |(worker, backend): (usize, &Option<&str>)| Choice {
            worker,
            frontend: "f".into(),
            pool: "p".into(),
            policy: "random".into(),
            score_is: "the weight".into(),
            how: "random chose among 1".into(),
            backend: backend.map(str::to_owned),
            candidates: vec![candidate("a", Some(1.0), None), candidate("long", None, Some("it is down"))],
        };
        Explained { client: "192.0.2.1".into(), workers: backends.iter().enumerate().map(choice).collect() }
    }

    #[test]
    fn it_is_a_table_with_a_mark_at_who_was_chosen() {
        assert_eq!(
            explained(&[Some("a")]).to_string(),
            "192.0.2.1 gets a: random chose among 1\n\
             (frontend f, pool p, policy random; the score is the weight)\n   \
             backend  address      weight  in flight  score\n\
             >  a        10.0.0.1:80       1         12      1\n   \
             long     10.0.0.1:80       1         12      -  skipped: it is down\n"
        );
    }

    #[test]
    fn workers_that_agree_are_told_of_once() {
        let text = explained(&[Some("a"), None, Some("a")]).to_string();
        let starts = ["workers 0, 2:", "worker 1:", "192.0.2.1 gets a: ", "192.0.2.1 gets no backend: "];
        starts.iter().for_each(|start| {
            assert_eq!(text.lines().filter(|line| line.starts_with(start)).count(), 1, "{text}");
        });
    }
}
