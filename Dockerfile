# One image for every container but the database. Airflow and local AWS run in /opt/venvs/airflow, the jobs that stand in
# for SageMaker's container in /opt/venvs/jobs; DAGs, job code and stacks are those of the package.

# The official image holds no compiled modules, and a read-only container can keep none: each process would compile the
# standard library anew.
FROM python:3.12-slim-bookworm AS python
RUN python -m compileall -q /usr/local/lib/python3.12

FROM python AS installer
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy UV_NO_PROGRESS=1 \
    PIP_CACHE_DIR=/var/cache/installer/pip UV_CACHE_DIR=/var/cache/installer/uv
COPY infra/compose/uv.txt infra/compose/install.sh /installer/
RUN --mount=type=cache,target=/var/cache/installer --mount=type=secret,id=package_index \
    sh /installer/install.sh uv /installer/uv.txt

FROM installer AS airflow
COPY locks/compose.txt /installer/
RUN --mount=type=cache,target=/var/cache/installer --mount=type=secret,id=package_index \
    sh /installer/install.sh environment /opt/venvs/airflow /installer/compose.txt

FROM installer AS jobs
COPY locks/jobs.txt /installer/
RUN --mount=type=cache,target=/var/cache/installer --mount=type=secret,id=package_index \
    sh /installer/install.sh environment /opt/venvs/jobs /installer/jobs.txt

# The package has the DAGs folder as MWAA has it. `include` and `plugins` beside `infra` lead into it, so that what
# deploys is what runs, and an edit that is mounted there counts for both.
FROM airflow AS package
WORKDIR /opt/forecast
COPY . .
RUN /opt/venvs/airflow/bin/python -m infra.package \
    && rm -rf dags include plugins locks \
    && ln -s dist/mwaa/dags/dags dist/mwaa/dags/include dist/mwaa/dags/plugins . \
    && /opt/venvs/airflow/bin/python -m compileall -q dist/mwaa infra

FROM python
# The same user id as in AWS's own MWAA image and of the first user on most Linux machines: mounted files are readable.
RUN groupadd --gid 1000 forecast \
    && useradd --uid 1000 --gid forecast --no-create-home --home-dir /tmp --shell /usr/sbin/nologin forecast \
    && install -d -o forecast -g forecast -m 0750 /var/lib/forecast/secrets \
    && install -d -o forecast -g forecast -m 0700 /var/lib/forecast/aws \
    && install -d -o forecast -g forecast /var/log/airflow /data
COPY --from=jobs /opt/venvs/jobs /opt/venvs/jobs
COPY --from=airflow /opt/venvs/airflow /opt/venvs/airflow
COPY --from=package /opt/forecast /opt/forecast
ENV PATH=/opt/venvs/airflow/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/forecast
USER forecast
ENTRYPOINT ["python", "-m", "infra.compose"]
CMD ["--help"]
