/** `node flood-main.js --to ADDRESS --port N --mbit R --size OCTETS --seconds S`: one flood, then an end. */
import { parseArgs } from "node:util";
import type { Millis, Octets } from "../model/units.js";
import { bitsPerSecond } from "../model/units.js";
import { flood } from "./flood.js";

const { values } = parseArgs({
  options: {
    to: { type: "string" },
    port: { type: "string", default: "9" },
    mbit: { type: "string", default: "30" },
    size: { type: "string", default: "1250" },
    seconds: { type: "string", default: "10" },
  },
});
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
process.on("SIGINT", () => stop.abort());
try {
  process.stderr.write("flooding\n");
  const result = await flood(
    {
      destination: values.to ?? "",
      port: Number(values.port),
      rate: bitsPerSecond(Number(values.mbit) * 1e6),
      datagramSize: Number(values.size) as Octets,
      duration: (Number(values.seconds) * 1000) as Millis,
    },
    stop.signal,
  );
  process.stdout.write(`${JSON.stringify(result)}\n`);
} catch (error) {
  process.stderr.write(`flood: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
