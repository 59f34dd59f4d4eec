import "../../../src/web/worker.ts";
