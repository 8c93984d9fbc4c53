# One image for all controllers, to be tagged under each controller's name; `command: [tidegate, <controller>]` picks one.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.txt pyproject.toml README.md ./
COPY api api
COPY controller controller
RUN python -m venv /opt/tidegate \
 && /opt/tidegate/bin/pip install --no-cache-dir --require-hashes -r requirements.txt \
 && /opt/tidegate/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
LABEL org.opencontainers.image.title="tidegate" \
      org.opencontainers.image.description="GitOps for Kubernetes, wire compatible with Flux v2" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/tidegate /opt/tidegate
ENV PATH=/opt/tidegate/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Numeric, so that runAsNonRoot can be checked.
USER 65534:65534
ENTRYPOINT []
CMD ["tidegate", "run"]
