# A small image: Debian's Python, ipgate in a virtual environment, and no tool to install anything else.
# It runs under any user id, with a read-only root file system. docs/operations.md, "Containers".
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv
RUN python3 -m venv --without-pip /opt/ipgate && python3 -m venv /build
WORKDIR /src
COPY tools/build.lock requirements.lock ./
RUN /build/bin/pip install --no-cache-dir --require-hashes -r build.lock
RUN /build/bin/pip --python /opt/ipgate/bin/python install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY clients clients
COPY service service
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist ./clients/python . \
    && /build/bin/pip --python /opt/ipgate/bin/python install --no-cache-dir --no-deps /dist/*.whl

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists /var/cache/apt /var/log/apt /var/log/dpkg.log \
    && mkdir --mode=0700 /data && chown 10001:10001 /data
COPY --from=build /opt/ipgate /opt/ipgate
ENV PATH=/opt/ipgate/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    IPGATE_DATA_DIR=/data \
    IPGATE_LISTEN=0.0.0.0:50051 \
    IPGATE_OPS_LISTEN=0.0.0.0:9464
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 50051 9464
# Without a Python process: bash asks the operations port.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["ipgate"]
CMD ["serve"]
