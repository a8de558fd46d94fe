"""The state, outputs and parameters of a deployed stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from harness.model import HarnessError, UsageError
from harness.targets.aws.session import Clients, code_of, explained

_USABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}
#: Such a stack still has its resources, and messages in its queues.
_STUCK = "UPDATE_ROLLBACK_FAILED"


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of ``template.yaml``, or of ``container.yaml``, in a usable state."""

    name: str
    region: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]

    def output(self, name: str) -> str:
        """The value of an output. Raises ``HarnessError`` if another template is deployed."""
        if name not in self.outputs:
            if self.has_tasks:
                raise UsageError(
                    f"stack {self.name} is of container.yaml, so it has tasks and no {name}: "
                    "docs/tasks.md tells how its days are begun and repeated"
                )
            raise HarnessError(f"stack {self.name} has no output {name}: deploy this template")
        return self.outputs[name]

    @property
    def has_tasks(self) -> bool:
        """Whether it is of ``container.yaml``."""
        return "StateMachineArn" in self.outputs

    @property
    def architecture(self) -> str:
        return self.parameters.get("Architecture", "-")


def read_stack(clients: Clients, name: str) -> Stack:
    """Read the stack ``name``.

    Raises ``UsageError`` if there is none, ``HarnessError`` if it is in an unusable state.
    """
    with explained("cloudformation:DescribeStacks", f"stack {name}"):
        try:
            found = clients.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if code_of(error) == "ValidationError":
                raise UsageError(
                    f"no stack {name} in {clients.region}: name the stack that `sam deploy` made, "
                    "or its --region"
                ) from error
            raise
    status = found["StackStatus"]
    if status.endswith("_IN_PROGRESS"):
        raise HarnessError(f"stack {name} is being changed ({status}): wait until it is done")
    if status == _STUCK:
        raise HarnessError(
            f"stack {name} can't be used ({status}): mend the cause that its events name, then "
            f"`aws cloudformation continue-update-rollback --stack-name {name}`"
        )
    if status not in _USABLE:
        raise HarnessError(f"stack {name} can't be used ({status}): delete it and deploy again")
    return Stack(
        name,
        clients.region,
        status,
        {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())},
        {
            each["ParameterKey"]: each["ParameterValue"]
            for each in found.get("Parameters", ())
            if "ParameterValue" in each
        },
    )
