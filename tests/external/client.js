// A caller by grpc-js: argv has the address, the token, the credential and two addresses to ask about.
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, token, key, inside, outside, protos] = process.argv.slice(2);
const definition = loader.loadSync("ipgate/v1/authorize.proto", { includeDirs: [protos], defaults: true });
const { AuthorizeService } = grpc.loadPackageDefinition(definition).ipgate.v1;
const client = new AuthorizeService(address, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
metadata.set("authorization", `Bearer ${token}`);

const ask = (ip) =>
  new Promise((resolve, reject) =>
    client.Authorize({ key, ip }, metadata, { deadline: Date.now() + 10_000 }, (error, answer) =>
      error ? reject(error) : resolve(answer.allowed),
    ),
  );

const converse = () =>
  new Promise((resolve, reject) => {
    const stream = client.StreamAuthorize(metadata);
    const answers = [];
    stream.on("data", (answer) => answers.push(answer.response.allowed));
    stream.on("end", () => resolve(answers));
    stream.on("error", reject);
    stream.write({ id: "1", request: { key, ip: inside } });
    stream.write({ id: "2", request: { key, ip: outside } });
    stream.end();
  });

(async () => {
  const refused = await new Promise((resolve) =>
    client.Authorize({ key, ip: "x" }, metadata, (error) => resolve(error.code)),
  );
  const allowed = [await ask(inside), await ask(outside)];
  console.log(JSON.stringify({ allowed, streamed: await converse(), refused }));
  client.close();
})();
