// Runs on a host of the lab: sends one INVITE as it was told, prints every response as a JSON line, acknowledges the
// final one, and ends. Argument: JSON with address, port, to: {address, port}, message (text), patience (ms).
import { createSocket } from "node:dgram";

const { address, port, to, message, patience } = JSON.parse(process.argv[2] ?? "{}");
const socket = createSocket("udp4");
setTimeout(() => process.exit(3), patience);

socket.on("message", (octets) => {
  const text = octets.toString("latin1");
  process.stdout.write(`${JSON.stringify(text)}\n`);
  if (Number(text.slice(8, 11)) < 200) return;
  const line = (source, name) => source.split("\r\n").find((each) => each.startsWith(`${name}:`)) ?? "";
  const ack = [
    message.split("\r\n", 1)[0].replace("INVITE", "ACK"),
    line(message, "Via"),
    "Max-Forwards: 70",
    line(message, "From"),
    line(text, "To"),
    line(message, "Call-ID"),
    line(message, "CSeq").replace("INVITE", "ACK"),
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
  socket.send(ack, to.port, to.address, () => socket.close(() => process.exit(0)));
});
socket.bind(port, address, () => socket.send(message, to.port, to.address));
