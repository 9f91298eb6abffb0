# Reads what ptxas -v says and prints one line for each kernel and target: "kernel target registers
# spilled_bytes stack_bytes".
/Compiling entry function/ {
    kernel = $0
    sub(/.*function ._Z[0-9]+vsg_/, "", kernel)
    sub(/_kernel.*/, "", kernel)
    target = $0
    sub(/.* for .sm_/, "", target)
    sub(/[^0-9].*/, "", target)
}
/bytes stack frame/ {
    stack = $1
    spilled = $5 + $9
}
/Used [0-9]+ registers/ {
    registers = $0
    sub(/.*Used /, "", registers)
    sub(/ .*/, "", registers)
    print kernel, target, registers, spilled, stack
}
