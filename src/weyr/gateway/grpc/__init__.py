"""The gRPC door: the Open Inference Protocol's service, told to whatever speaks the same protocol over HTTP."""
