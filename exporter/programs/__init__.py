"""The real Prometheus and Alertmanager as child processes, and the configuration they are given."""

from exporter.programs.running import (
    INSTALL_HINT,
    Program,
    ProgramError,
    alertmanager_program,
    free_address,
    missing_programs,
    program_path,
    prometheus_program,
    reached_at,
    url_of,
)
from exporter.programs.shipped import (
    EXPORTER_URL,
    SECRETS,
    prometheus_config,
    read_config,
    shipped,
    with_texts,
    write_config,
    write_templates,
)

__all__ = [
    "EXPORTER_URL",
    "INSTALL_HINT",
    "SECRETS",
    "Program",
    "ProgramError",
    "alertmanager_program",
    "free_address",
    "missing_programs",
    "program_path",
    "prometheus_config",
    "prometheus_program",
    "reached_at",
    "read_config",
    "shipped",
    "url_of",
    "with_texts",
    "write_config",
    "write_templates",
]
