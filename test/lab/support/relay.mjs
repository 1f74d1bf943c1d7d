// Runs on a host of the lab: a UDP socket whose other end is a test. Lines of stdin are JSON {to: {address, port}, text}, sent
// as datagrams; each datagram becomes a line of stdout, JSON {from: {address, port}, text}. Argument: JSON {address, port}.
// Ends when stdin does.
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";

const { address, port } = JSON.parse(process.argv[2] ?? "{}");
const socket = createSocket("udp4");

socket.on("message", (octets, from) => {
  const line = { from: { address: from.address, port: from.port }, text: octets.toString("latin1") };
  process.stdout.write(`${JSON.stringify(line)}\n`);
});
socket.bind(port, address, () => {
  process.stdout.write(`${JSON.stringify({ listening: port })}\n`);
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const { to, text } = JSON.parse(line);
    socket.send(Buffer.from(text, "latin1"), to.port, to.address);
  });
  lines.on("close", () => process.exit(0));
});
