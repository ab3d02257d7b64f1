# docker build -t lbproxy .
# docker run --rm -p 8080:8080 -v "$PWD/lbproxy.toml:/etc/lbproxy/lbproxy.toml:ro" lbproxy
#
# docker kill -s HUP reloads, docker stop drains (give it time: docker stop -t 45). An upgrade is a new container here.

FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin lbproxy

FROM debian:bookworm-slim
COPY --from=build /src/target/release/lbproxy /usr/local/bin/lbproxy
COPY --from=build /src/config.example.toml /etc/lbproxy/lbproxy.toml
# No name and no privilege: ports below 1024 are for whoever runs the container to map.
USER 65534:65534
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/lbproxy"]
CMD ["--config", "/etc/lbproxy/lbproxy.toml"]
