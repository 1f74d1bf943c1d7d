/** Where the build puts the portal's page: beside this folder. */
import { fileURLToPath } from "node:url";

export const BUILT_PAGES = fileURLToPath(new URL("../portal", import.meta.url));
