FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements-dev.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY pyproject.toml README.md ./
COPY clients clients
COPY service service
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist ./clients/python .

FROM python:3.12-slim
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock && rm requirements.lock
COPY --from=build /dist /dist
RUN pip install --no-cache-dir --no-deps /dist/*.whl && rm -r /dist \
    && useradd --system --uid 10001 --create-home --home-dir /data ipgate
USER ipgate
WORKDIR /data
VOLUME /data
EXPOSE 50051
ENV IPGATE_DATA_DIR=/data
ENTRYPOINT ["ipgate"]
CMD ["serve"]
