"""An in-process gRPC server with the methods of the Dataproc API that the project calls, on real messages.

A test scripts it: the states that a job passes through, one at each look, what its driver prints at each, and
errors to answer with. Its job can also really run: `runner` gets the driver script's arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.cloud import dataproc_v1 as api
from google.longrunning import operations_pb2
from google.protobuf import any_pb2, empty_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

JOBS, BATCHES = "google.cloud.dataproc.v1.JobController", "google.cloud.dataproc.v1.BatchController"
OPERATIONS = "google.longrunning.Operations"

Error = tuple[grpc.StatusCode, str]


class TooFastError(Exception):
    """As an error to answer with: RESOURCE_EXHAUSTED with the reason that the API gives for quotas by the minute."""


class DataprocServer:
    """State and script of one fake project. `states`: one is shown at each look, the last one stays."""

    def __init__(self, folder: Path, states: list[str]) -> None:
        self.output = folder / "driveroutput"
        self.output_uri = f"file://{self.output}"
        self.on_look: Callable[[int], None] = lambda look: None
        self.states = states
        self.prints: dict[int, str] = {}
        """Look (from 0) to what the driver has printed by then."""
        self.errors: dict[str, list[Any]] = {}
        """Method to errors that its next calls answer with: `Error` or `TooFastError`."""
        self.calls: list[str] = []
        self.jobs: dict[str, Any] = {}
        self.batches: dict[str, Any] = {}
        self.request_ids: set[str] = set()
        self.on_submit: Callable[[list[str]], None] = lambda arguments: None
        self.looks = 0
        self.detail = ""
        self.lose_first_answer = False
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        handlers = [
            self._service(JOBS, {
                "SubmitJob": (api.SubmitJobRequest, self._submit_job),
                "GetJob": (api.GetJobRequest, self._get_job),
                "CancelJob": (api.CancelJobRequest, self._cancel_job),
            }),
            self._service(BATCHES, {
                "CreateBatch": (api.CreateBatchRequest, self._create_batch),
                "GetBatch": (api.GetBatchRequest, self._get_batch),
            }),
            self._service(OPERATIONS, {
                "CancelOperation": (operations_pb2.CancelOperationRequest, self._cancel_operation),
            }),
        ]  # fmt: skip
        self._server.add_generic_rpc_handlers(handlers)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")

    def stop(self) -> None:
        self.channel.close()
        self._server.stop(None).wait()

    def _service(self, service: str, methods: dict[str, tuple[Any, Callable[..., Any]]]) -> Any:
        table = {}
        for name, (request, method) in methods.items():
            serialized = request.deserialize if hasattr(request, "deserialize") else request.FromString
            table[name] = grpc.unary_unary_rpc_method_handler(
                self._scripted(name, method),
                request_deserializer=serialized,
                response_serializer=_serialize,
            )
        return grpc.method_handlers_generic_handler(service, table)

    def _scripted(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            self.calls.append(name)
            if self.errors.get(name):
                error = self.errors[name].pop(0)
                if error is TooFastError:
                    context.abort_with_status(_too_fast())
                context.abort(*error)
            return method(request, context)

        return answer

    # Jobs

    def _submit_job(self, request: Any, context: grpc.ServicerContext) -> Any:
        job = request.job
        if request.request_id in self.request_ids:  # the API answers with the job that there is
            return self.jobs[job.reference.job_id]
        if job.reference.job_id in self.jobs:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, "job exists")
        self.request_ids.add(request.request_id)
        self.jobs[job.reference.job_id] = job
        self.on_submit(list(job.pyspark_job.args))
        if self.lose_first_answer:
            self.lose_first_answer = False
            context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset after the job was made")
        return job

    def _get_job(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.job_id not in self.jobs:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: Job {request.job_id}")
        job = self.jobs[request.job_id]
        state = self._look()
        job.status.state = api.JobStatus.State[state]
        job.status.details = self.detail if state == "ERROR" else ""
        job.driver_output_resource_uri = self.output_uri
        if state == "RUNNING":
            share = min(1.0, self.looks / len(self.states))
            job.yarn_applications = [api.YarnApplication(name="corpusforge", progress=share)]
        return job

    def _cancel_job(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.states, self.looks = ["CANCEL_PENDING", "CANCELLED"], 0
        return self.jobs[request.job_id]

    # Batches

    def _create_batch(self, request: Any, context: grpc.ServicerContext) -> Any:
        name = f"{request.parent}/batches/{request.batch_id}"
        if request.request_id not in self.request_ids:
            if name in self.batches:
                context.abort(grpc.StatusCode.ALREADY_EXISTS, "batch exists")
            self.request_ids.add(request.request_id)
            batch = request.batch
            batch.name = name
            batch.operation = f"projects/p/regions/r/operations/{request.batch_id}"
            self.batches[name] = batch
            self.on_submit(list(batch.pyspark_batch.args))
        operation = operations_pb2.Operation(name=self.batches[name].operation, done=False)
        return operation

    def _get_batch(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.name not in self.batches:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: {request.name}")
        batch = self.batches[request.name]
        state = self._look()
        batch.state = api.Batch.State[state]
        batch.state_message = self.detail if state == "FAILED" else ""
        batch.runtime_info.output_uri = self.output_uri
        return batch

    def _cancel_operation(self, request: Any, context: grpc.ServicerContext) -> Any:
        assert request.name in {batch.operation for batch in self.batches.values()}
        self.states, self.looks = ["CANCELLING", "CANCELLED"], 0
        return empty_pb2.Empty()

    def _look(self) -> str:
        state = self.states[min(self.looks, len(self.states) - 1)]
        if self.looks in self.prints:
            self._print(self.prints[self.looks])
        self.on_look(self.looks)
        self.looks += 1
        return state

    def _print(self, text: str) -> None:
        """Append to the current object; a form feed closes it and starts the next one."""
        number = max(len(list(self.output.parent.glob("driveroutput.*"))) - 1, 0)
        for index, part in enumerate(text.split("\f")):
            path = self.output.with_name(f"driveroutput.{number + index:09d}")
            with path.open("ab") as file:
                file.write(part.encode("utf-8", "surrogateescape"))


def _too_fast() -> Any:
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason="RATE_LIMIT_EXCEEDED", domain="googleapis.com"))
    code = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    return rpc_status.to_status(
        status_pb2.Status(code=code, message="Quota exceeded: 600 a minute", details=[info])
    )


def _serialize(message: Any) -> bytes:
    kind = type(message)
    return kind.serialize(message) if hasattr(kind, "serialize") else message.SerializeToString()
