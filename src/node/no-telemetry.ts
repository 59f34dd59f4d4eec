/**
 * ONNX Runtime's libraries from 1.30 on report how they are used to their makers. Nobody who draws a picture here asked
 * for that, so it is off unless the user says otherwise; it must be said before the library is loaded.
 */
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
