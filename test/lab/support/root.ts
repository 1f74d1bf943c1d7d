import { fileURLToPath } from "node:url";

/** The directory of this package. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");
