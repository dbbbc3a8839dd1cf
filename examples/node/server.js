// A server of Node.js for allowed API keys: `node server.js 127.0.0.1:8000`.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { AuthorizeService } from "./gen/ipgate/v1/authorize_pb.js";

const server = process.env.IPGATE_SERVER ?? "127.0.0.1:50051";
const token = readFileSync(process.env.IPGATE_TOKEN_FILE ?? "token", "utf8").trim();
const ipgate = createClient(AuthorizeService, createGrpcTransport({ baseUrl: `http://${server}` }));
const options = { headers: { authorization: `Bearer ${token}` }, timeoutMs: 200 };

// The status for an end client: 200 only if ipgate says so. Whatever fails is a denial.
async function status(request) {
  const headers = request.headersDistinct;
  const keys = headers["x-api-key"] ?? [];
  if (keys.length !== 1 || !keys[0]) return 401;
  // The server finds the client's address behind its --trusted-proxies.
  const forwarded = {
    peer: request.socket.remoteAddress ?? "",
    xForwardedFor: headers["x-forwarded-for"] ?? [],
    forwarded: headers["forwarded"] ?? [],
  };
  try {
    const answer = await ipgate.authorize(
      { subject: { case: "key", value: keys[0] }, origin: { case: "forwarded", value: forwarded } },
      options,
    );
    return answer.allowed === true ? 200 : 403;
  } catch (error) {
    console.error(`not decided: ${error.message}`);
    return 503;
  }
}

const [host, port] = (process.argv[2] ?? "127.0.0.1:8000").split(":");
createServer(async (request, response) => {
  const decided = await status(request);
  response.writeHead(decided, { "content-type": "text/plain" });
  response.end(decided === 200 ? "orders\n" : "denied\n");
}).listen(Number(port), host);
