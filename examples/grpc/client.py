"""A first client of the gRPC service: logs in, reads a balance, changes it once, reads an error.

Needs `pip install grpcio-tools grpcio-status`; TOLLBOOK_PASSWORD is that of the user admin.
"""

import os
import pathlib
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

# The files of the contract are read as they are: nothing has to be generated.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "proto"))
sessions, sessions_grpc = grpc.protos_and_services("tollbook/v1/sessions.proto")
accounts, accounts_grpc = grpc.protos_and_services("tollbook/v1/accounts.proto")
Decimal = grpc.protos("tollbook/v1/decimal.proto").Decimal

channel = grpc.insecure_channel(os.environ.get("TOLLBOOK_ADDRESS", "localhost:50051"))
user = int(os.environ.get("TOLLBOOK_USER_ID", "2"))
login = sessions.CreateSessionRequest(username="admin", password=os.environ["TOLLBOOK_PASSWORD"])
token = sessions_grpc.SessionsServiceStub(channel).CreateSession(login).token
as_admin = {"metadata": [("authorization", f"Bearer {token}")], "timeout": 10}
service = accounts_grpc.AccountsServiceStub(channel)

balance = service.GetBalance(accounts.GetBalanceRequest(user_id=user), **as_admin).balance
print("balance", balance.value)

# Sent again with the same key, as after a lost answer, this changes nothing and answers the same.
change = accounts.AdjustBalanceRequest(
    user_id=user, amount=Decimal(value="10.50"), idempotency_key="python-example-1"
)
print("then", service.AdjustBalance(change, **as_admin).entry.balance_after.value)

try:
    wrong = accounts.AdjustBalanceRequest(user_id=user, amount=Decimal(value="ten"))
    service.AdjustBalance(wrong, **as_admin)
except grpc.RpcError as error:
    # error.details() is for people, the reason for programs; errors.proto lists them all.
    info = error_details_pb2.ErrorInfo()
    rpc_status.from_call(error).details[0].Unpack(info)
    print(info.reason, info.metadata["field"])
