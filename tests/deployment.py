"""The commands of docs/deploy.md, from ``sam build`` to a stack on a local AWS."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_dump, yaml_parse

from harness.build.template import TEMPLATE
from harness.build.transform import BUCKETS
from harness.model import Artefact
from harness.targets.ministack.local_aws import LocalAws
from harness.toolchain.paths import ROOT
from harness.toolchain.programs import host_architecture

STACK = "rosetta"


class Deployment:
    """``folder`` is laid out as a checkout after ``sam build``; its code is ``artefacts``."""

    def __init__(self, aws: LocalAws, folder: Path, artefacts: Mapping[str, Artefact]) -> None:
        self.aws = aws
        self.artefacts = artefacts
        self._folder = folder
        shutil.copy(TEMPLATE, folder)
        built = yaml_parse(TEMPLATE.read_text())
        for artefact in artefacts.values():
            function = built["Resources"][artefact.implementation.function]
            function["Properties"]["CodeUri"] = str(artefact.folder)
        (folder / ".aws-sam/build").mkdir(parents=True)
        (folder / ".aws-sam/build/template.yaml").write_text(yaml_dump(built))

    def deploy(self, **parameters: object) -> None:
        """``sam deploy`` with samconfig.toml filled in and these parameters beside."""
        given = {"Architecture": host_architecture(), **BUCKETS, **parameters}
        config = (ROOT / "samconfig.toml").read_text()
        head, opening, rest = config.partition("parameter_overrides = [\n")
        assert opening
        listed = "".join(f'  "{name}={value}",\n' for name, value in given.items())
        rest = rest[rest.index("]\n") :]
        (self._folder / "samconfig.toml").write_text(f"{head}{opening}{listed}{rest}")
        self._sam("deploy", "--no-confirm-changeset")

    def delete(self) -> None:
        self._sam("delete", "--no-prompts")

    def _sam(self, *arguments: str) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "SAM_CLI_TELEMETRY": "0",
            **self.aws.env(),
        }
        command = [sys.executable, "-m", "samcli", *arguments]
        done = subprocess.run(
            command, cwd=self._folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    # ---- the deployed stack ----

    def outputs(self) -> dict[str, str]:
        (stack,) = self.aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        assert stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    def tags(self) -> list[dict[str, str]]:
        (stack,) = self.aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        tags: list[dict[str, str]] = stack["Tags"]
        return tags

    def function_name(self, language: str) -> str:
        return self.outputs()[f"{self.artefacts[language].implementation.function}Name"]

    def live(self, language: str) -> dict[str, Any]:
        """The configuration behind the alias."""
        answer: dict[str, Any] = self.aws.client("lambda").get_function_configuration(
            FunctionName=self.function_name(language), Qualifier="live"
        )
        return answer

    def mappings(self) -> list[dict[str, Any]]:
        answer = self.aws.client("lambda").list_event_source_mappings()
        return list(answer["EventSourceMappings"])

    def queue(self, output: str) -> dict[str, str]:
        """The attributes of the queue whose URL is this output."""
        url = self.outputs()[output]
        answer = self.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, str] = answer["Attributes"]
        return attributes

    def schedule(self) -> dict[str, Any]:
        scheduler = self.aws.client("scheduler")
        (summary,) = scheduler.list_schedules()["Schedules"]
        schedule: dict[str, Any] = scheduler.get_schedule(
            Name=summary["Name"], GroupName=summary["GroupName"]
        )
        return schedule

    def downloaded(self, language: str, folder: Path) -> Artefact:
        """The uploaded package of this language, unpacked as Lambda does."""
        artefact = self.artefacts[language]
        answer = self.aws.client("cloudformation").get_template(
            StackName=STACK, TemplateStage="Processed"
        )
        body = answer["TemplateBody"]
        stack = body if isinstance(body, dict) else yaml_parse(body)
        code = stack["Resources"][artefact.implementation.function]["Properties"]["Code"]
        s3 = self.aws.client("s3")
        data = s3.get_object(Bucket=code["S3Bucket"], Key=code["S3Key"])["Body"].read()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                path = Path(archive.extract(entry, folder))
                if mode := entry.external_attr >> 16:  # extract() leaves it out
                    path.chmod(mode & 0o777)
        return replace(artefact, folder=folder)
