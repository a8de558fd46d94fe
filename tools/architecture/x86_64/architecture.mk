ARCHITECTURE = x86_64
GOARCH = amd64
PLATFORM = x86_64-unknown-linux-gnu
include ../check.mk
