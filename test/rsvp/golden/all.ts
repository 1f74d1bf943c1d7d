import { ERRORS } from "./error.js";
import type { Golden } from "./golden.js";
import { NEIGHBOURS } from "./neighbour.js";
import { PATHS } from "./path.js";
import { RESERVATIONS } from "./reservation.js";

export const GOLDEN: readonly Golden[] = [...PATHS, ...RESERVATIONS, ...ERRORS, ...NEIGHBOURS];
