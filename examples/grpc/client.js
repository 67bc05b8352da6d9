// A first client of the gRPC service: logs in, reads a balance, changes it once, reads an error.
//
// Needs `npm install @grpc/grpc-js @grpc/proto-loader`; TOLLBOOK_PASSWORD is that of the user admin.
const { join } = require("node:path");
const { promisify } = require("node:util");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");

// keepCase: fields are called as in the contract. Without it they are called userId and so on, and a
// name that it does not know, such as user_id then, the loader leaves out without a word.
// longs: ids have 64 bits. Amounts are decimal strings, never numbers.
const files = ["sessions", "accounts"].map((name) => `tollbook/v1/${name}.proto`);
const options = { includeDirs: [join(__dirname, "../../proto")], keepCase: true, longs: String };
const { v1 } = grpc.loadPackageDefinition(loader.loadSync(files, options)).tollbook;

// What errors carry, as in google/rpc/status.proto and error_details.proto.
const details = protobuf.parse(`syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }`).root;
function errorInfo(error) {
  const [packed] = error.metadata.get("grpc-status-details-bin");
  const status = details.lookupType("Status").decode(packed);
  return details.lookupType("ErrorInfo").decode(status.details[0].value);
}

const address = process.env.TOLLBOOK_ADDRESS ?? "localhost:50051";
const user_id = process.env.TOLLBOOK_USER_ID ?? "2";
const metadata = new grpc.Metadata();
// Calls of a service as promises.
function connect(Service) {
  const client = new Service(address, grpc.credentials.createInsecure());
  return (method, request) => promisify(client[method].bind(client))(request, metadata);
}

async function main() {
  const login = { username: "admin", password: process.env.TOLLBOOK_PASSWORD };
  const { token } = await connect(v1.SessionsService)("CreateSession", login);
  metadata.set("authorization", `Bearer ${token}`);
  const accounts = connect(v1.AccountsService);

  console.log("balance", (await accounts("GetBalance", { user_id })).balance.value);

  // Sent again with the same key, as after a lost answer, this changes nothing and answers the same.
  const change = { user_id, amount: { value: "10.50" }, idempotency_key: "node-example-1" };
  console.log("then", (await accounts("AdjustBalance", change)).entry.balance_after.value);

  try {
    await accounts("AdjustBalance", { user_id, amount: { value: "ten" } });
  } catch (error) {
    // error.details is for people, the reason for programs; errors.proto lists them all.
    const { reason, metadata } = errorInfo(error);
    console.log(reason, metadata.field);
  }
}

main().then(() => process.exit(0));
