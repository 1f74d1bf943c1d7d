/** Where the agent's program is: beside this file. */
import { fileURLToPath } from "node:url";

export const AGENT_PROGRAM = fileURLToPath(new URL("./agent-main.js", import.meta.url));
